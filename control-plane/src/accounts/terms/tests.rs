use super::*;

fn terms(json: &str) -> Terms {
    serde_json::from_str(json).unwrap()
}

#[test]
fn every_mistake_is_said_with_its_place() {
    for (json, mistakes) in [
        ("{}", vec![]),
        (r#"{"budgets":[{"usd":"250.00","per":"month"},{"requests":60,"per":"minute"},{"concurrent":5}]}"#, vec![]),
        (r#"{"budgets":[{}]}"#, vec!["exactly one of"]),
        (r#"{"budgets":[{"usd":"1","tokens":1}]}"#, vec!["exactly one of"]),
        (r#"{"budgets":[{"usd":"-1"}]}"#, vec!["`usd` is an amount"]),
        (r#"{"budgets":[{"usd":"1"},{"usd":"2"}]}"#, vec!["`budgets[1]`: there is one"]),
        (r#"{"budgets":[{"concurrent":1,"per":"day","strict":true}]}"#, vec!["has no `per`", "never `strict`"]),
        (r#"{"budgets":[{"usd":"1","time_zone":"Mars/Base"}]}"#, vec!["`time_zone`"]),
        (r#"{"budgets":[{"usd":"1","at_limit":"downgrade"}]}"#, vec!["`downgrade_to`"]),
        (r#"{"budgets":[{"usd":"1","downgrade_to":"m"}]}"#, vec!["`downgrade_to`"]),
        (r#"{"budgets":[{"tokens":1,"when_away":"open","open_up_to":"1.5"}]}"#, vec!["an amount of the budget's unit"]),
        (r#"{"budgets":[{"usd":"1","when_away":"open"}]}"#, vec!["`open_up_to` says"]),
        (r#"{"budgets":[{"usd":"1","tell_at":[80,50]}]}"#, vec!["`tell_at`"]),
        (r#"{"networks":["10/8"],"routes":[""]}"#, vec!["`routes`", "`networks`"]),
    ] {
        let found = terms(json).mistakes();
        assert_eq!(found.len(), mistakes.len(), "{json}: {found:?}");
        assert!(found.iter().zip(&mistakes).all(|(found, expected)| found.contains(expected)), "{json}: {found:?}");
    }
    assert!(serde_json::from_str::<Terms>(r#"{"budget":[]}"#).is_err(), "unknown members are refused");
}

#[test]
fn whoever_is_below_never_exceeds_whoever_is_above() {
    let above = terms(
        r#"{"routes":["auto","mini-*"],"networks":["10.0.0.0/8"],
            "budgets":[{"usd":"100","per":"month"},{"requests":60,"per":"minute"}]}"#,
    );
    for (json, excesses) in [
        ("{}", 0),
        (r#"{"routes":["mini-1","mini-*","auto"],"networks":["10.1.0.0/16"]}"#, 0),
        (r#"{"routes":["m*"]}"#, 1),
        (r#"{"routes":["auto","other"],"networks":["0.0.0.0/0"]}"#, 2),
        (r#"{"budgets":[{"usd":"100","per":"month"},{"usd":"1000","per":"day"}]}"#, 0),
        (r#"{"budgets":[{"usd":"100.01","per":"month"},{"requests":61,"per":"minute"}]}"#, 2),
    ] {
        assert_eq!(terms(json).excesses(&above).len(), excesses, "{json}");
    }
    assert_eq!(terms(r#"{"routes":["any"]}"#).excesses(&Terms::default()), Vec::<String>::new());
}

#[test]
fn terms_become_a_grant_with_every_level() {
    let level = |holder: &str, json: &str| super::super::Level { holder: holder.into(), terms: terms(json) };
    let levels = [
        level("key_1", r#"{"routes":["auto"]}"#),
        level("acme.search", "{}"),
        level("acme", r#"{"budgets":[{"usd":"1.5","per":"month","strict":true,"at_limit":"warn"}]}"#),
    ];
    let grant = super::super::grant("key_1", "acme.search", &levels);
    assert_eq!((grant.scopes.len(), grant.account.as_str()), (1, "acme.search"));
    let [budget] = &grant.budgets[..] else { panic!("{grant:?}") };
    assert_eq!((budget.id.as_str(), budget.mode), ("acme/usd/month", Mode::Strict));
    assert_eq!(budget.at_limit, admission::AtLimit::Warn);
}
