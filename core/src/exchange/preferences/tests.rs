use super::*;
use crate::catalog::DialectId;
use crate::catalog::{Dispatch, Operation, Provider, Target};
use crate::explain::{Explanation, Fate, Situation, explain};
use crate::preferences::Several;
use crate::price::{Price, Rates};
use crate::select::Verdict;
use crate::snapshot::{Pool, Snapshot};
use proptest::prelude::*;

/// Three providers of one model, dearer and dearer; the last one stands in for the others.
fn snapshot(change: impl FnOnce(&mut Vec<Provider>, &mut Route)) -> Snapshot {
    let mut providers = ["a", "b", "c"].map(|id| Provider::plain(id, DialectId::ChatCompletions)).to_vec();
    let targets = (0..3_u64).map(|at| {
        let rates = Rates { input: (at + 1) * 1_000_000, output: (at + 1) * 4_000_000, ..Rates::default() };
        let place = at as usize;
        let id = format!("{}/m", providers[place].id);
        Target { price: Price::of(rates), ..Target::unlisted(id, place, "m") }
    });
    let targets = targets.collect();
    let pool = Pool { size: 2, ..Pool::default() };
    let mut route = Route { name: "auto".into(), candidates: vec![0, 1, 2], pool, ..Route::default() };
    change(&mut providers, &mut route);
    let snapshot = Snapshot::new(1, providers, targets, vec![route], vec![]).unwrap();
    Snapshot::read(&snapshot.write()).unwrap()
}

fn asked<'s>(member: &str, headers: &[(&str, &str)], snapshot: &'s Snapshot) -> Explanation<'s> {
    let body = format!(r#"{{"model":"auto"{member},"messages":[{{"role":"user","content":"hi"}}]}}"#);
    explain("POST", "/v1/chat/completions", headers, body.as_bytes(), Situation::default(), snapshot)
}

fn member(text: &str) -> String {
    format!(r#","dragoman":{text}"#)
}

fn plan(explanation: &Explanation<'_>) -> String {
    match &explanation.fate {
        Fate::Refused(denial) => denial.code.clone(),
        _ => explanation.planned().map(|id| &id[..1]).collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn body_and_headers_say_the_same() {
    let snapshot = snapshot(|providers, _| {
        providers[1].region = "eu".into();
        providers[1].data_policy = vec!["no_training".into(), "zero_retention".into()];
    });
    let cases = [
        (r#"{"max_price":{"input":2,"output":"8"}}"#, "max-price", "input=2, output=8", "a b"),
        (r#"{"max_price":{"output":4}}"#, "max-price", "output=4", "a"),
        (r#"{"regions":["eu","us"]}"#, "regions", "eu,us", "b"),
        (r#"{"data_policy":["zero_retention"]}"#, "data-policy", "zero_retention", "b"),
        (r#"{"order":["c","b"]}"#, "order", "c, b", "c b a"),
        (r#"{"only":["b/m","c"]}"#, "only", "b/m,c", "b c"),
        (r#"{"not":"a"}"#, "not", "a", "b c"),
        (r#"{"min_throughput":50}"#, "min-throughput", "50", "a b c"),
        (r#"{"not":["a","b","c"]}"#, "not", "m", "preferences_unmet"),
    ];
    for (said, header, value, expected) in cases {
        let header = format!("x-dragoman-{header}");
        assert_eq!(plan(&asked(&member(said), &[], &snapshot)), expected, "{said}");
        assert_eq!(plan(&asked("", &[(&header, value)], &snapshot)), expected, "{header}: {value}");
    }
    let headers = [("x-dragoman-not", "a"), ("x-dragoman-not", "c")];
    assert_eq!(plan(&asked("", &headers, &snapshot)), "b", "a list in several headers");
    let member = member(r#"{"not":["b"]}"#);
    assert_eq!(plan(&asked(&member, &headers, &snapshot)), "a c", "the body's word counts");
}

#[test]
fn what_nobody_satisfies_is_refused_and_said() {
    let snapshot = snapshot(|_, _| {});
    let explanation = asked(&member(r#"{"regions":["eu"],"not":["a"]}"#), &[], &snapshot);
    let Fate::Refused(denial) = &explanation.fate else { panic!() };
    assert_eq!((denial.status, denial.code.as_str()), (400, "preferences_unmet"));
    assert!(denial.message.ends_with("what you prefer: regions, not"), "{}", denial.message);
    let unmet = explanation.candidates.iter().filter(|one| matches!(one.verdict, Verdict::Unmet(_))).count();
    assert_eq!(unmet, 3);
}

#[test]
fn what_is_malformed_is_refused_by_its_name() {
    let snapshot = snapshot(|_, _| {});
    let cases = [
        (member("7"), ("x-none", ""), "dragoman"),
        (member(r#"{"onlly":["a"]}"#), ("x-none", ""), "dragoman.onlly"),
        (member(r#"{"alpha":"much"}"#), ("x-none", ""), "dragoman.alpha"),
        (String::new(), ("x-dragoman-alpha", "101"), "x-dragoman-alpha"),
        (String::new(), ("x-dragoman-max-price", "3"), "x-dragoman-max-price"),
        (member(r#"{"not":["a"]}"#), ("x-dragoman-not", ""), "x-dragoman-not"),
    ];
    for (member, header, param) in cases {
        let explanation = asked(&member, &[header], &snapshot);
        let Fate::Refused(denial) = &explanation.fate else { panic!("{param}") };
        assert_eq!((denial.code.as_str(), denial.param.as_deref()), ("bad_member", Some(param)));
    }
}

#[test]
fn a_route_may_leave_nothing_or_little_to_its_callers() {
    let few = snapshot(|_, route| route.preferences = Several::NONE.with(Preference::Not));
    assert_eq!(plan(&asked(&member(r#"{"not":["a"]}"#), &[], &few)), "b c");
    let explanation = asked("", &[("x-dragoman-order", "b")], &few);
    let Fate::Refused(denial) = &explanation.fate else { panic!() };
    assert_eq!((denial.status, denial.param.as_deref()), (400, Some("dragoman.order")));
    let none = snapshot(|_, route| route.preferences = Several::NONE);
    assert_eq!(plan(&asked(&member(r#"{"not":["a"]}"#), &[], &none)), "bad_member");
    assert_eq!(plan(&asked("", &[], &none)), "a b c");
}

#[test]
fn who_is_exclusive_is_not_preferred_away() {
    let snapshot = snapshot(|providers, _| providers[0].dispatch = Dispatch::Exclusive);
    assert_eq!(plan(&asked("", &[], &snapshot)), "a");
    assert_eq!(plan(&asked(&member(r#"{"not":["a"]}"#), &[], &snapshot)), "preferences_unmet");
    assert_eq!(plan(&asked(&member(r#"{"order":["c"]}"#), &[], &snapshot)), "a");
}

#[test]
fn a_body_loses_the_member_and_not_another_byte() {
    let bodies = [
        (r#"{"dragoman":{"not":["z"]}, "model" : "auto"}"#, r#"{"model" : "auto"}"#),
        (r#"{ "model":"auto","dragoman":{} , "n":1.0 }"#, r#"{ "model":"auto" , "n":1.0 }"#),
        (r#"{"model":"auto","drag\u006fman":{"alpha":1}}"#, r#"{"model":"auto"}"#),
    ];
    let head = Head { headers: vec![(b"content-type".to_vec(), b"application/json".to_vec())] };
    for (sent, left) in bodies {
        let content = Content::read(Operation::Rerank, &head, sent.as_bytes().to_vec()).unwrap();
        assert_eq!((std::str::from_utf8(content.bytes()), content.is_as_sent()), (Ok(left), false));
        assert!(content.said().is_some());
    }
    let same = br#"{"model":"auto","user":{"dragoman":1}}"#.to_vec();
    let content = Content::read(Operation::Generate, &head, same.clone()).unwrap();
    assert_eq!((content.bytes(), content.is_as_sent(), content.said()), (same.as_slice(), true, None));
}

proptest! {
    /// Whatever is preferred, nobody is asked who would not have been asked without.
    #[test]
    fn preferences_never_widen(only in prop::collection::vec("[a-d](/m)?", 0..3), not in prop::collection::vec("[a-d]", 0..2), order in prop::collection::vec("[a-d]", 0..3), price in prop::option::of(0..5_u64), off in 0..3_usize) {
        let snapshot = snapshot(|providers, _| providers[off].dispatch = Dispatch::Off);
        let list = |name: &str, names: &[String]| match names {
            [] => String::new(),
            _ => format!(r#""{name}":["{}"],"#, names.join("\",\"")),
        };
        let price = price.map(|price| format!(r#""max_price":{{"input":{price}}},"#)).unwrap_or_default();
        let said = [list("only", &only), list("not", &not), list("order", &order), price].concat();
        let explanation = asked(&member(&format!("{{{}}}", said.trim_end_matches(','))), &[], &snapshot);
        let without = asked("", &[], &snapshot);
        let allowed: Vec<&str> = without.planned().collect();
        for id in explanation.planned() {
            prop_assert!(allowed.contains(&id) && !not.contains(&id[..1].to_string()));
            prop_assert!(only.is_empty() || only.iter().any(|name| id.starts_with(name.as_str())));
        }
    }
}
