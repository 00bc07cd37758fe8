use super::*;
use crate::json::edit::{Edit, edit};
use proptest::prelude::*;

fn trouble(text: &str) -> Option<Trouble> {
    Json::parse(text.as_bytes()).err().map(|error| error.trouble)
}

#[test]
fn accepts_what_json_is() {
    for text in ["{}", "[]", " \n[1, 2.5e-3 ,-0] ", r#""a\u00e9\n""#, "true", "null", r#"{"a":{"b":[{}]},"c":[]}"#] {
        assert_eq!(trouble(text), None, "{text}");
    }
}

#[test]
fn refuses_what_json_is_not() {
    let cases = [
        ("", Trouble::Truncated),
        ("{", Trouble::Truncated),
        ("[1,]", Trouble::Unexpected),
        ("{\"a\":1,}", Trouble::Unexpected),
        ("{\"a\" 1}", Trouble::Unexpected),
        ("[1}", Trouble::Unexpected),
        ("01", Trouble::BadNumber),
        ("1.", Trouble::BadNumber),
        ("-", Trouble::BadNumber),
        ("NaN", Trouble::Unexpected),
        ("tru", Trouble::Truncated),
        ("\"a\nb\"", Trouble::BadString),
        (r#""\x""#, Trouble::BadString),
        (r#""\u12g4""#, Trouble::BadString),
        ("{} x", Trouble::Trailing),
        ("\"abc", Trouble::Truncated),
    ];
    for (text, expected) in cases {
        assert_eq!(trouble(text), Some(expected), "{text}");
    }
    assert_eq!(Json::parse(b"\"\xff\"").err().map(|e| e.trouble), Some(Trouble::Encoding));
}

#[test]
fn nesting_has_a_limit_and_no_stack() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert_eq!(trouble(&deep(128)), None);
    assert_eq!(trouble(&deep(129)), Some(Trouble::TooDeep));
    assert_eq!(trouble(&"[".repeat(1_000_000)), Some(Trouble::TooDeep));
}

#[test]
fn members_are_found_however_they_are_escaped() {
    let body = Json::parse(br#"{ "mod\u0065l" : "a", "x":1 }"#).unwrap();
    assert!(body.get("model").unwrap().text().unwrap().is("a"));
    assert_eq!(body.members().count(), 2);
}

#[test]
fn text_decodes_escapes_and_surrogates() {
    let text = Json::parse(br#""a\"\\\/\n\u00e9\ud83d\ude00\ud800!""#).unwrap().text().unwrap();
    assert_eq!(text.decode(), "a\"\\/\n\u{e9}\u{1f600}\u{fffd}!");
}

#[test]
fn edits_leave_other_bytes_alone() {
    let cases: [(&str, &[Edit<'_>], &str); 8] = [
        (r#"{"a":1,"b":2}"#, &[Edit::Remove("a")], r#"{"b":2}"#),
        (r#"{"a":1,"b":2}"#, &[Edit::Remove("b")], r#"{"a":1}"#),
        (r#"{"a":1,"b":2,"c":3}"#, &[Edit::Remove("a"), Edit::Remove("b")], r#"{"c":3}"#),
        (r#"{"a":1 , "b":2 }"#, &[Edit::Remove("a"), Edit::Remove("b")], r#"{ }"#),
        (r#"{"a":1,"b":2,"c":3}"#, &[Edit::Remove("b"), Edit::Remove("c")], r#"{"a":1}"#),
        (r#"{ }"#, &[Edit::Set("a", "1".into())], r#"{"a":1 }"#),
        (r#"{"a":1}"#, &[Edit::Rename("a", "b"), Edit::Set("c", "[]".into())], r#"{"b":1,"c":[]}"#),
        (r#"{"a":1,"b": 2 }"#, &[Edit::Remove("a"), Edit::Set("a2", "3".into())], r#"{"b": 2,"a2":3 }"#),
    ];
    for (before, edits, after) in cases {
        assert_eq!(edit(Json::parse(before.as_bytes()).unwrap(), edits), after, "{before} {edits:?}");
    }
}

#[test]
fn a_value_on_one_line_is_the_same_value() {
    let json = Json::parse(b"{\n  \"a\": [1,\r\n 2], \"b\": \"c\\nd\"\n}").unwrap();
    let mut out = Writer::new();
    out.raw_on_one_line(json);
    assert!(!out.as_str().contains(['\n', '\r']));
    let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(same(out.as_str()), same(json.as_str()));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-e]{1,2}", inner, 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn rebuilt(value: Json<'_>, out: &mut Writer) {
    match value.kind() {
        Kind::Object => out.object(|out| {
            for (name, member) in value.members() {
                out.field(&name.decode());
                rebuilt(member, out);
            }
        }),
        Kind::Array => out.array(|out| value.items().for_each(|item| rebuilt(item, out))),
        Kind::String => out.string(&value.text().unwrap().decode()),
        _ => out.raw(value),
    }
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let ours = Json::parse(&bytes).is_ok();
        let theirs = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn agrees_with_serde_json_on_almost_json(text in r#"[\[\]{}",:0-9eE.+\-ntrufals\\ ]{0,24}"#) {
        let ours = Json::parse(text.as_bytes()).is_ok();
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        // Numbers beyond a double are JSON all the same; serde_json refuses them.
        let out_of_range = theirs.as_ref().is_err_and(|e| e.to_string().contains("out of range"));
        // Its skipper checks less than its reader: lone surrogates are JSON all the same.
        prop_assert!(ours == theirs.is_ok() || out_of_range || text.contains("\\u"), "{text}");
    }

    #[test]
    fn reading_and_writing_is_identity(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let mut out = Writer::new();
        rebuilt(Json::parse(text.as_bytes()).unwrap(), &mut out);
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(out.as_str()).unwrap(), value);
    }

    /// A document that remembers its large values is read like a text that is walked over.
    #[test]
    fn a_document_reads_as_its_text_does(value in any_json(), fill in 0usize..300, pretty in any::<bool>()) {
        let big = serde_json::json!({ "a": value, "b": "x".repeat(fill), "c": [value, { "d": "y".repeat(fill), "e": value }], "f": 1 });
        let text = if pretty { serde_json::to_string_pretty(&big) } else { serde_json::to_string(&big) }.unwrap();
        let document = Document::read(text.clone().into_bytes()).unwrap();
        let (mut one, mut two) = (Writer::new(), Writer::new());
        rebuilt(document.json(), &mut one);
        rebuilt(Json::parse(text.as_bytes()).unwrap(), &mut two);
        prop_assert_eq!(one.as_str(), two.as_str());
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(one.as_str()).unwrap(), big);
    }

    /// Law 3: the named members read back as set; every other one is as it was.
    #[test]
    fn edit_changes_what_it_names_and_nothing_else(value in any_json(), pretty in any::<bool>(), ops in prop::collection::btree_map("[a-e]{1,2}", 0..3u8, 0..4)) {
        prop_assume!(value.is_object());
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let names: Vec<(String, u8)> = ops.into_iter().collect();
        let renamed: Vec<String> = names.iter().map(|(name, _)| format!("{name}_renamed")).collect();
        let edits: Vec<Edit<'_>> = names.iter().zip(&renamed).map(|((name, op), new)| match op {
            0 => Edit::Set(name, "{\"set\": true}".into()),
            1 => Edit::Remove(name),
            _ => Edit::Rename(name, new),
        }).collect();
        let edited = edit(Json::parse(text.as_bytes()).unwrap(), &edits);
        let mut expected = value.as_object().cloned().unwrap();
        for edit in &edits {
            match edit {
                Edit::Set(name, _) => { expected.insert((*name).into(), serde_json::json!({"set": true})); }
                Edit::Remove(name) => { expected.remove(*name); }
                Edit::Rename(name, new) => {
                    if let Some(old) = expected.remove(*name) { expected.insert((*new).into(), old); }
                }
            }
        }
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&edited).unwrap(), serde_json::Value::Object(expected), "{}", edited);
    }
}
