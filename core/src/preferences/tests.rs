use super::*;
use crate::catalog::DialectId;
use crate::json::{Json, Writer};
use crate::price::{Price, Rates};
use proptest::prelude::*;

fn read(text: &str) -> Result<Preferences, Wrong> {
    Preferences::read(Json::parse(text.as_bytes()).unwrap())
}

#[test]
fn every_preference_is_read_and_written_alike() {
    let all = r#"{"max_price":{"input":"0.5","output":"15"},"min_throughput":50,"alpha":30,"regions":["eu"],"data_policy":["no_training"],"order":["b","a/m"],"only":["a","b"],"not":["c"],"bucket":"mid"}"#;
    let preferences = read(all).unwrap();
    assert_eq!(preferences.said().count(), Preference::ALL.len());
    assert_eq!(preferences.max_price, MaxPrice { input: Some(500_000), output: Some(15_000_000) });
    assert_eq!((preferences.alpha, preferences.bucket), (Some(300), Some(Bucket::Mid)));
    let mut out = Writer::with_capacity(256);
    preferences.write(&mut out);
    assert_eq!(out.into_string(), all);
    assert!(read("{}").unwrap().is_empty());
    assert_eq!(read(r#"{"max_price":{"input":0.5}}"#).unwrap().max_price.input, Some(500_000));
    assert_eq!(read(r#"{"only":"a"}"#).unwrap().only, ["a"]);
}

#[test]
fn what_is_malformed_is_named() {
    let many = format!(r#"{{"not":[{}]}}"#, vec![r#""a""#; 33].join(","));
    let cases = [
        ("[]", ""),
        ("null", ""),
        (r#"{"max_prise":1}"#, "max_prise"),
        (r#"{"max_price":3}"#, "max_price"),
        (r#"{"max_price":{}}"#, "max_price"),
        (r#"{"max_price":{"input":1e3}}"#, "max_price"),
        (r#"{"max_price":{"input":-1}}"#, "max_price"),
        (r#"{"max_price":{"input":1,"input":2}}"#, "max_price"),
        (r#"{"max_price":{"image":1}}"#, "max_price"),
        (r#"{"min_throughput":"fast"}"#, "min_throughput"),
        (r#"{"min_throughput":1.5}"#, "min_throughput"),
        (r#"{"regions":[]}"#, "regions"),
        (r#"{"regions":null}"#, "regions"),
        (r#"{"data_policy":[""]}"#, "data_policy"),
        (r#"{"order":[1]}"#, "order"),
        (r#"{"only":"a,b"}"#, "only"),
        (r#"{"not":["a\n"]}"#, "not"),
        (r#"{"alpha":101}"#, "alpha"),
        (r#"{"bucket":"easy"}"#, "bucket"),
        (r#"{"bucket":"mid","buck\u0065t":"mid"}"#, "bucket"),
        (&many, "not"),
    ];
    for (text, name) in cases {
        assert_eq!(read(text).map_err(|wrong| wrong.0), Err(name.to_string()), "{text}");
    }
}

fn row(id: &str, region: &str, promises: &[&str]) -> Provider {
    let data_policy = promises.iter().map(|word| (*word).to_string()).collect();
    Provider { region: region.into(), data_policy, ..Provider::plain(id, DialectId::ChatCompletions) }
}

fn unmet(text: &str, throughput: Option<u64>) -> Vec<&'static str> {
    let price = Price::of(Rates { input: 3_000_000, output: 15_000_000, ..Rates::default() });
    let target = Target { price, ..Target::unlisted("a/m".into(), 0, "m") };
    read(text).unwrap().unmet(&target, &row("a", "eu", &["no_training"]), 10, throughput).names().collect()
}

#[test]
fn a_target_satisfies_or_it_is_said_what_it_does_not() {
    let satisfied = [
        r#"{"max_price":{"input":3,"output":15}}"#,
        r#"{"regions":["us","eu"],"data_policy":["no_training"],"only":["a"]}"#,
        r#"{"only":["m"],"not":["b","a/n"],"order":["b"],"alpha":1,"bucket":"hard"}"#,
    ];
    satisfied.iter().for_each(|text| assert_eq!(unmet(text, Some(1)), [""; 0], "{text}"));
    let cases = [
        (r#"{"max_price":{"input":"2.999999"}}"#, "max_price"),
        (r#"{"max_price":{"input":5,"output":14}}"#, "max_price"),
        (r#"{"regions":["us"]}"#, "regions"),
        (r#"{"data_policy":["no_training","zero_retention"]}"#, "data_policy"),
        (r#"{"only":["b","a/n"]}"#, "only"),
        (r#"{"not":["a"]}"#, "not"),
        (r#"{"not":["a/m"]}"#, "not"),
        (r#"{"not":["m"]}"#, "not"),
    ];
    cases.iter().for_each(|(text, name)| assert_eq!(unmet(text, None), [*name], "{text}"));
    assert_eq!(unmet(r#"{"not":["a"],"regions":["us"]}"#, None), ["regions", "not"]);
    let fast = r#"{"min_throughput":50}"#;
    assert_eq!(unmet(fast, Some(49)), ["min_throughput"]);
    assert_eq!((unmet(fast, Some(50)), unmet(fast, None)), (vec![], vec![]), "nobody knows: it is asked");
}

#[test]
fn who_says_nothing_of_itself_promises_nothing() {
    let target = Target::unlisted("a/m".into(), 0, "m");
    let wanted = read(r#"{"regions":["eu"],"data_policy":["no_training"]}"#).unwrap();
    let unmet = wanted.unmet(&target, &row("a", "", &[]), 0, None);
    assert_eq!(unmet.names().collect::<Vec<_>>(), ["regions", "data_policy"]);
}

proptest! {
    /// No words are too strange to be refused by their name.
    #[test]
    fn anything_is_read_or_refused(name in ".*", value in r#"(-?[0-9]{1,25}|"[a-z,/]{0,5}"|\[("[a-z]{0,3}",?){0,3}\]|\{\}|null)"#) {
        let text = format!("{{{}:{value}}}", crate::json::write::quoted(&name));
        if let Ok(json) = Json::parse(text.as_bytes()) {
            let _any = Preferences::read(json);
        }
        for which in Preference::ALL {
            let text = format!("{{\"{}\":{value}}}", which.name());
            let Ok(json) = Json::parse(text.as_bytes()) else { continue };
            if let Ok(read) = Preferences::read(json) {
                let mut out = Writer::with_capacity(64);
                read.write(&mut out);
                let written = out.into_string();
                prop_assert_eq!(Preferences::read(Json::parse(written.as_bytes()).unwrap()), Ok(read));
            }
        }
    }
}
