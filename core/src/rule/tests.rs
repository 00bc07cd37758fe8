use super::*;
use crate::catalog::Operation;
use crate::json::Json;
use proptest::prelude::*;

const ALL: [DialectId; 6] = DialectId::ALL;

fn rule(row: &str) -> Rule {
    Rule::read(Json::parse(row.as_bytes()).unwrap()).unwrap_or_else(|wrong| panic!("{row}: {wrong:?}"))
}

fn whom() -> Whom<'static> {
    Whom { route: "auto", account: "acme.platform.search.alice", caller: "key_1" }
}

/// A rule with these changes of requests.
fn asks(changes: &str) -> Holding {
    Holding::of(&[rule(&format!(r#"{{"name":"r","request":{changes}}}"#)).into()], &whom(), 0)
}

fn changed(holding: &Holding, dialect: DialectId, body: &str) -> String {
    let changed = holding.change(dialect, Json::parse(body.as_bytes()).unwrap());
    assert_eq!(changed.body.is_none(), changed.touched.is_empty());
    changed.body.unwrap_or_else(|| body.to_string())
}

#[test]
fn a_rule_holds_for_its_routes_its_keys_and_its_accounts_with_all_below_them() {
    let holds = |scope: &str, whom: Whom<'_>| {
        rule(&format!(r#"{{"name":"r",{scope}"request":{{"remove":["seed"]}}}}"#)).holds(&whom)
    };
    let (of, me) = (|account| Whom { account, ..whom() }, whom());
    assert!(holds("", me) && holds("", of("")));
    assert!(holds(r#""routes":["a","auto"],"#, me) && !holds(r#""routes":["a"],"#, me));
    assert!(holds(r#""keys":["key_1"],"#, me) && !holds(r#""keys":["key_11"],"#, me));
    for (account, mine) in
        [("acme", true), ("acme.platform", true), ("acme.platform.search.alice", true), ("acme.p", false)]
    {
        assert_eq!(holds(&format!(r#""accounts":["{account}"],"#), me), mine, "{account}");
    }
    assert!(!holds(r#""accounts":["acme"],"#, of("")) && !holds(r#""accounts":["acme"],"#, of("acme2.x")));
    assert!(!holds(r#""accounts":["acme"],"routes":["b"],"#, me), "all that is said must be so");
}

#[test]
fn sampling_is_said_in_every_dialects_own_members() {
    let holding = asks(
        r#"{"cap":{"temperature":0.8,"max_output_tokens":100},"default":{"top_p":0.9},"set":{"stop":["END"]},"remove":["seed"]}"#,
    );
    for (dialect, before, after) in [
        (
            DialectId::ChatCompletions,
            r#"{ "temperature": 1.5, "max_tokens":500,"seed":1, "x": 1e-0 }"#,
            r#"{ "temperature": 0.8, "max_tokens":100, "x": 1e-0,"stop":["END"],"top_p":0.9 }"#,
        ),
        (
            DialectId::Responses,
            r#"{"input":"hi","temperature":0.50,"max_output_tokens":101,"top_p":null}"#,
            r#"{"input":"hi","temperature":0.50,"max_output_tokens":100,"top_p":0.9}"#,
        ),
        (
            DialectId::Messages,
            r#"{"max_tokens":4096,"temperature":1,"top_p":0.1}"#,
            r#"{"max_tokens":100,"temperature":0.8,"top_p":0.1,"stop_sequences":["END"]}"#,
        ),
        (
            DialectId::GenerateContent,
            r#"{"contents":[], "generation_config" : {"max_output_tokens":7, "temperature": "hot","seed":3}}"#,
            r#"{"contents":[], "generation_config" : {"max_output_tokens":7, "temperature": 0.8,"stopSequences":["END"],"topP":0.9}}"#,
        ),
        (
            DialectId::ChatV2,
            r#"{"p":0.2,"max_tokens":99.5}"#,
            r#"{"p":0.2,"max_tokens":99.5,"stop_sequences":["END"]}"#,
        ),
        (
            DialectId::Converse,
            r#"{"messages":[]}"#,
            r#"{"messages":[],"inferenceConfig":{"stopSequences":["END"],"topP":0.9}}"#,
        ),
    ] {
        assert_eq!(changed(&holding, dialect, before), after, "{dialect:?}");
    }
}

#[test]
fn both_spellings_of_a_limit_are_capped_and_no_dialect_gets_more_than_it_takes() {
    let holding = asks(r#"{"cap":{"max_output_tokens":10},"set":{"temperature":1.5}}"#);
    let body = r#"{"max_tokens":20,"max_completion_tokens":30,"temperature":0}"#;
    let after = r#"{"max_tokens":10,"max_completion_tokens":10,"temperature":1.5}"#;
    assert_eq!(changed(&holding, DialectId::ChatCompletions, body), after);
    assert_eq!(changed(&holding, DialectId::Messages, "{}"), r#"{"temperature":1}"#);
}

#[test]
fn the_operators_words_stand_where_each_dialect_has_them() {
    let holding = asks(r#"{"prepend_system":"For {tenant}, \"{date}\".","append_system":"Bye."}"#);
    for (dialect, before, after) in [
        (
            DialectId::ChatCompletions,
            r#"{"messages":[{"role":"user","content":"hi"}, {"role":"developer","content":"be\nkind"}]}"#,
            r#"{"messages":[{"role":"user","content":"hi"}, {"role":"developer","content":"For acme, \"1970-01-01\".\n\nbe\nkind\n\nBye."}]}"#,
        ),
        (
            DialectId::ChatCompletions,
            r#"{"messages":[ {"role":"user","content":"hi"}]}"#,
            r#"{"messages":[{"role":"system","content":"For acme, \"1970-01-01\".\n\nBye."}, {"role":"user","content":"hi"}]}"#,
        ),
        (
            DialectId::ChatV2,
            r#"{"messages":[{"role":"system","content":[{"type":"text","text":"x"}]}]}"#,
            r#"{"messages":[{"role":"system","content":[{"type":"text","text":"For acme, \"1970-01-01\"."},{"type":"text","text":"x"},{"type":"text","text":"Bye."}]}]}"#,
        ),
        (DialectId::Messages, r#"{"messages":[]}"#, r#"{"messages":[],"system":"For acme, \"1970-01-01\".\n\nBye."}"#),
        (
            DialectId::Messages,
            r#"{"system":[ {"type":"text","text":"x","cache_control":{}} ]}"#,
            r#"{"system":[{"type":"text","text":"For acme, \"1970-01-01\"."}, {"type":"text","text":"x","cache_control":{}},{"type":"text","text":"Bye."} ]}"#,
        ),
        (
            DialectId::Responses,
            r#"{"input":"hi","instructions":null}"#,
            r#"{"input":"hi","instructions":"For acme, \"1970-01-01\".\n\nBye."}"#,
        ),
        (
            DialectId::GenerateContent,
            r#"{"system_instruction":{"parts":{"text":"x"}}}"#,
            r#"{"system_instruction":{"parts":[{"text":"For acme, \"1970-01-01\"."},{"text":"x"},{"text":"Bye."}]}}"#,
        ),
        (
            DialectId::GenerateContent,
            r#"{"contents":[]}"#,
            r#"{"contents":[],"systemInstruction":{"parts":[{"text":"For acme, \"1970-01-01\"."},{"text":"Bye."}]}}"#,
        ),
        (
            DialectId::Converse,
            r#"{"messages":[]}"#,
            r#"{"messages":[],"system":[{"text":"For acme, \"1970-01-01\"."},{"text":"Bye."}]}"#,
        ),
    ] {
        assert_eq!(changed(&holding, dialect, before), after, "{dialect:?}");
    }
}

#[test]
fn members_without_a_word_are_named_by_their_place_and_only_in_the_dialects_that_are_said() {
    let row = r#"{"name":"r","dialects":["messages"],"request":{"set":{"metadata.team":"{team}","tools[].x":{"a":[1]}},"remove":["service_tier"]}}"#;
    let holding = Holding::of(&[rule(row).into()], &whom(), 0);
    let body = r#"{"service_tier":"auto","tools":[{"name":"t"}]}"#;
    let after = r#"{"tools":[{"name":"t","x":{"a":[1]}}],"metadata":{"team":"search"}}"#;
    assert_eq!(changed(&holding, DialectId::Messages, body), after);
    assert_eq!(changed(&holding, DialectId::ChatCompletions, body), body);
}

#[test]
fn later_rules_see_what_earlier_ones_did_and_each_tells_what_it_changed() {
    let rules: Vec<Arc<Rule>> = [
        r#"{"name":"one","request":{"default":{"temperature":2}}}"#,
        r#"{"name":"other","keys":["nobody"],"request":{"remove":["temperature"]}}"#,
        r#"{"name":"two","request":{"cap":{"temperature":1,"top_p":1},"headers":{"X-Team":"{team}"}}}"#,
    ]
    .map(|row| Arc::new(rule(row)))
    .into();
    let holding = Holding::of(&rules, &whom(), 0);
    assert_eq!(holding.names().collect::<Vec<_>>(), ["one", "two"]);
    let mut changed = holding.change(DialectId::ChatCompletions, Json::EMPTY_OBJECT);
    assert_eq!(changed.body.as_deref(), Some(r#"{"temperature":1}"#));
    holding.headed(DialectId::ChatCompletions, &mut changed.touched);
    let touched = |rule: &str, members: &[&str]| Touched {
        rule: rule.into(),
        members: members.iter().map(|name| (*name).to_string()).collect(),
    };
    assert_eq!(changed.touched, [touched("one", &["temperature"]), touched("two", &["temperature", "header x-team"])]);
    assert_eq!(holding.request_headers(DialectId::Messages), [("x-team".to_string(), "search".to_string())]);
}

#[test]
fn the_most_tokens_of_the_answer_are_known_before_anybody_is_asked() {
    for (changes, said, most) in [
        (r#"{"cap":{"max_output_tokens":10}}"#, Some(99), Some(10)),
        (r#"{"cap":{"max_output_tokens":10}}"#, Some(9), Some(9)),
        (r#"{"cap":{"max_output_tokens":10}}"#, None, None),
        (r#"{"default":{"max_output_tokens":10}}"#, None, Some(10)),
        (r#"{"set":{"max_output_tokens":10}}"#, Some(1), Some(10)),
        (
            r#"{"remove":["max_output_tokens"],"default":{"max_output_tokens":30},"cap":{"max_output_tokens":20}}"#,
            Some(1),
            Some(20),
        ),
        (r#"{"set":{"seed":10}}"#, Some(1), Some(1)),
    ] {
        assert_eq!(asks(changes).output_limit(said), most, "{changes}");
    }
    let some = rule(r#"{"name":"r","dialects":["messages"],"request":{"set":{"max_output_tokens":10}}}"#);
    let holding = Holding::of(&[some.into()], &whom(), 0);
    assert_eq!((holding.output_limit(Some(99)), holding.output_limit(Some(1))), (Some(99), Some(10)));
    assert_eq!(holding.output_limit(None), None, "whoever is asked otherwise has no limit");
}

#[test]
fn every_mistake_of_a_row_is_told_with_its_place() {
    let row = r#"{"name":"a b","routes":[],"accounts":["Acme","a.b.c.d.e","key_1"],"dialects":["french"],"zz":1,
        "request":{"set":{"model":"x","Stream.x":1,"temperature":3,"max_tokens":1,"generationConfig":{},"a.b":1,"a":2,"answers":2,"t":"{nobody}"},
                   "cap":{"seed":1,"x":"y","max_output_tokens":0},"remove":["a..b"],"append_system":"",
                   "headers":{"Authorization":"x","x-dragoman-try-1":"x","host":"x","x-envoy-a":"x","te":"x","good":"caf\u00e9"}},
        "response":{"rename":{"a.b":"b"},"mask":1,"zz":1,"headers":{"set-cookie":"x"},"append_text":7}}"#;
    let wrong = Rule::read(Json::parse(row.as_bytes()).unwrap()).unwrap_err();
    let mut places: Vec<String> = wrong.iter().map(|wrong| wrong.place.join("/")).collect();
    places.sort();
    let mut expected = vec![
        "name",
        "routes",
        "accounts/0",
        "accounts/1",
        "accounts/2",
        "dialects/0",
        "zz",
        "request/set/model",
        "request/set/Stream.x",
        "request/set/temperature",
        "request/set/max_tokens",
        "request/set/generationConfig",
        "request/set/a",
        "request/set/answers",
        "request/set/t",
        "request/cap/seed",
        "request/cap/x",
        "request/cap/max_output_tokens",
        "request/remove/0",
        "request/append_system",
        "request/headers/Authorization",
        "request/headers/x-dragoman-try-1",
        "request/headers/host",
        "request/headers/x-envoy-a",
        "request/headers/te",
        "request/headers/good",
        "response/rename/a.b",
        "response/mask",
        "response/zz",
        "response/headers/set-cookie",
        "response/append_text",
    ];
    expected.sort_unstable();
    assert_eq!(places, expected, "{wrong:#?}");
    for (row, told) in
        [("[]", "name"), (r#"{"name":"r"}"#, "changes nothing"), (r#"{"request":{"remove":["seed"]}}"#, "name")]
    {
        let wrong = Rule::read(Json::parse(row.as_bytes()).unwrap()).unwrap_err();
        assert!(wrong.iter().any(|wrong| wrong.to_string().contains(told)), "{row}: {wrong:?}");
    }
    let many: Vec<String> = (0..=MAX_ACTIONS).map(|number| format!("\"m{number}\"")).collect();
    let row = format!(r#"{{"name":"r","request":{{"remove":[{}]}}}}"#, many.join(","));
    assert!(Rule::read(Json::parse(row.as_bytes()).unwrap()).is_err());
}

#[test]
fn no_rule_names_a_member_that_stands_where_a_word_does() {
    for dialect in ALL {
        for word in Word::ALL {
            let Some(place) = word.place(dialect) else { continue };
            let name = place.written();
            let row = format!(r#"{{"name":"r","request":{{"remove":["{name}"]}}}}"#);
            let read = Rule::read(Json::parse(row.as_bytes()).unwrap());
            assert_eq!(read.is_ok(), Word::named(&name).is_some(), "{dialect:?} {name}");
        }
    }
}

/// Some JSON: not deep, with names that rules and dialects know.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        Just(" 1.50".to_string()),
        Just("1e999".to_string()),
        Just(r#""a\"\u0041""#.to_string()),
        Just(r#""system""#.to_string()),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let name = prop::sample::select(vec![
            "temperature",
            "max_tokens",
            "generationConfig",
            "messages",
            "role",
            "content",
            "system",
            "parts",
            "a",
            "b",
            "systemInstruction",
            "inferenceConfig",
            "instructions",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[ {}]", items.join(" ,"))),
            prop::collection::btree_map(name, inner, 0..5).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
                format!("{{{} }}", members.join(",\n"))
            }),
        ]
    })
}

fn any_rule() -> impl Strategy<Value = String> {
    let path = "[ab](\\[\\])?(\\.[ab]){1,2}";
    let word = prop::sample::select(vec!["temperature", "max_output_tokens", "top_p", "top_k"]);
    (path, "[ab]", word, "[a-z{}\"\\\\]{1,9}", any::<bool>()).prop_map(|(path, name, word, text, speaks)| {
        let text = crate::json::write::quoted(&text.replace(['{', '}'], "<"));
        let words = if speaks { format!(r#","prepend_system":{text},"append_system":{text}"#) } else { String::new() };
        format!(
            r#"{{"name":"r","request":{{"remove":["{name}.x"],"set":{{"{path}":{text}}},"default":{{"{word}":1}},"cap":{{"{word}":1,"{name}":2}}{words}}},
                "response":{{"remove":["{path}"],"rename":{{"{name}.a":"q"}},"set":{{"c":{text}}},"mask":true}}}}"#
        )
    })
}

fn has_twins(json: Json<'_>) -> bool {
    let names: Vec<_> = json.members().map(|(name, _)| name.decode().into_owned()).collect();
    let different: BTreeSet<&String> = names.iter().collect();
    different.len() != names.len() || json.members().any(|(_, value)| has_twins(value)) || json.items().any(has_twins)
}

proptest! {
    /// Any request and any rule: what comes out is JSON, no member stands in it twice, and without words that are added doing it
    /// again is the same.
    #[test]
    fn any_rule_makes_json_of_any_json(body in any_json(), row in any_rule(), at in 0..ALL.len()) {
        let Ok(rule) = Rule::read(Json::parse(row.as_bytes()).unwrap()) else { return Ok(()) };
        let holding = Holding::of(&[rule.into()], &whom(), 0);
        let json = Json::parse(body.as_bytes()).unwrap();
        if let Some(changed) = holding.change(ALL[at], json).body {
            let after = Json::parse(changed.as_bytes());
            prop_assert!(after.is_ok_and(|after| !has_twins(after)), "{} {} {}", row, body, changed);
            if !row.contains("_system") {
                let again = holding.change(ALL[at], Json::trusted(&changed)).body;
                prop_assert!(again.as_ref().is_none_or(|again| *again == changed), "{} {} {} {:?}", row, body, changed, again);
            }
        }
        if let Some(mut retouch) = holding.retouch(ALL[at], Operation::Generate, crate::hub::Delivery::Whole, Vec::new) {
            let out = retouch.feed(body.as_bytes(), true);
            prop_assert!(Json::parse(&out).is_ok_and(|after| !has_twins(after)), "{} {}", row, body);
        }
    }
}
