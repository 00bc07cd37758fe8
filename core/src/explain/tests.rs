use std::fs;
use std::path::Path;

use super::*;
use crate::admission::digest;
use crate::attempt::{Attempt, Way};
use crate::catalog::{Origin, Provider, Service, Target};
use crate::exchange::{Exchange, Step};
use crate::json::{Json, Writer, edit::Edit, edit::edit};
use crate::loss::Losses;
use crate::memory::Memory;
use crate::record::{Ending, Outcome, Record};
use crate::rule::Rule;
use crate::select;
use crate::snapshot::{Family, Route};
use proptest::prelude::*;

const CHAT: DialectId = DialectId::ChatCompletions;

/// A provider of each dialect, each with two models: a large one that can do everything, and a small one that can do little.
fn snapshot(loss: Loss) -> Snapshot {
    let (mut providers, mut targets) = (Vec::new(), Vec::new());
    for (index, dialect) in DialectId::ALL.into_iter().enumerate() {
        let id = dialect.name().to_string();
        let operations = if dialect == CHAT { vec![Operation::Files, Operation::Embed] } else { vec![] };
        providers.push(Provider {
            origin: Origin { tls: true, host: format!("{index}.example"), port: 443, base: String::new() },
            services: vec![Service { operations, ..Service::new(dialect, "/v1") }],
            omit: vec!["seed".into()],
            ..Provider::plain(&id, dialect)
        });
        targets.push(Target::unlisted(format!("{id}/large"), index, "large"));
        let abilities = if index % 2 == 0 { Abilities::TOOLS } else { Abilities::THINKING };
        let context_window = 200 * index as u64;
        targets.push(Target { abilities, context_window, ..Target::unlisted(format!("{id}/small"), index, "small") });
    }
    let all = (0..targets.len()).collect();
    let routes = vec![
        Route { name: "all".into(), candidates: all, loss, ..Route::default() },
        Route { name: "small".into(), candidates: vec![1, 3, 5, 7, 9, 11, 1], loss, ..Route::default() },
        Route { name: "foreign".into(), candidates: vec![8, 10], loss, ..Route::default() },
    ];
    let families = vec![Family { prefix: "f-".into(), provider: 1 }];
    Snapshot::new(7, providers, targets, routes, families).unwrap()
}

fn memory(snapshot: Snapshot) -> Memory {
    let mut memory = Memory::default();
    memory.publish(snapshot);
    memory.admit(digest(b"k"), Some(Grant { caller: "c".into(), ..Grant::default() }), u64::MAX, 0);
    memory
}

fn headers() -> Vec<(Vec<u8>, Vec<u8>)> {
    [("authorization", "Bearer k"), ("content-type", "application/json"), ("x-custom", "1")]
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .to_vec()
}

/// What the data path makes of a request: the Record, and what an attempt at each planned target loses.
fn lived(method: &str, path: &str, body: &[u8], memory: &mut Memory) -> (Record, Vec<(String, Losses)>) {
    let mut all = vec![(b":method".to_vec(), method.into()), (b":path".to_vec(), path.into())];
    all.extend(headers());
    let (mut exchange, step) = Exchange::begin(Head { headers: all }, "x".into(), memory, 0);
    if matches!(step, Step::Wait) {
        exchange.body(body.to_vec(), memory, 0);
    }
    let mut told = Vec::new();
    if let Some(asked) = exchange.asked() {
        for (index, planned) in asked.plan.iter().enumerate() {
            let cluster = asked.provider(planned).unwrap().cluster.as_bytes();
            let (attempt, _) = Attempt::begin(Rc::clone(&asked), asked.turn(index + 1), cluster, &[], 0).unwrap();
            let losses = attempt.losses().clone();
            let outcome = attempt.end(0);
            told.push((outcome.dialect.clone(), losses));
            exchange.attempt_began(1, memory);
            exchange.attempt_ended(1, outcome, memory, 0);
        }
    }
    exchange.close();
    (exchange.record().unwrap().clone(), told)
}

fn written(explanation: &Explanation<'_>) -> String {
    let mut out = Writer::new();
    explanation.write(&mut out);
    assert!(Json::parse(out.as_str().as_bytes()).is_ok(), "{}", out.as_str());
    out.into_string()
}

/// The law: what is explained is what is done, now and later.
fn agree(method: &str, path: &str, body: &[u8], memory: &mut Memory) -> Result<(), String> {
    let snapshot = Rc::clone(memory.snapshot().unwrap());
    let snapshot = snapshot.as_ref();
    let situation = Situation { health: Some(&memory.health), ..Situation::default() };
    let now = explain(method, path, &headers(), body, situation, snapshot);
    let (record, told) = lived(method, path, body, memory);
    let later = explain_record(&record, snapshot);
    let asked: Vec<&str> = record.plan.iter().map(String::as_str).collect();
    for explanation in [&now, &later] {
        written(explanation);
        let planned: Vec<&str> = explanation.planned().collect();
        if planned != asked {
            return Err(format!("explained {planned:?}, asked {asked:?}: {explanation:?}"));
        }
        let code = match &explanation.fate {
            Fate::Refused(denial) => denial.code.as_str(),
            Fate::Sent | Fate::AnsweredHere => "",
        };
        if code != record.refusal {
            return Err(format!("explained {code}, was {}: {explanation:?}", record.refusal));
        }
    }
    let explained: Vec<_> = now.candidates.iter().filter_map(|weighed| weighed.telling.as_ref()).collect();
    let explained: Vec<_> = explained
        .into_iter()
        .map(|telling| (telling.dialect.name().to_string(), telling.losses.clone().unwrap()))
        .collect();
    if explained != told {
        return Err(format!("told {told:?}, explained {explained:?}"));
    }
    let wanted = now.wanted.map(|wanted| (wanted.abilities, wanted.estimated_tokens, wanted.tied));
    let recorded = later.wanted.map(|wanted| (wanted.abilities, wanted.estimated_tokens, wanted.tied));
    match (wanted, recorded) {
        (Some(wanted), Some(recorded)) if wanted != recorded => Err(format!("{wanted:?}, recorded {recorded:?}")),
        _ => Ok(()),
    }
}

#[test]
fn every_golden_request_is_explained_as_it_is_served() {
    let mut seen = 0;
    for dialect in DialectId::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/requests").join(dialect.name());
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().matches('.').count() != 1 {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            for loss in Loss::ALL {
                let mut memory = memory(snapshot(loss));
                for model in ["all", "small", "foreign", "f-1", "messages/large", "converse/new", "nobody"] {
                    let named = edit(Json::parse(&bytes).unwrap(), &[Edit::Set("model", format!("\"{model}\""))]);
                    let (url, body) = match dialect {
                        CHAT => ("/v1/chat/completions".to_string(), named),
                        DialectId::Messages => ("/v1/messages".into(), named),
                        DialectId::Responses => ("/v1/responses".into(), named),
                        _ => {
                            let whole = String::from_utf8(bytes.clone()).unwrap();
                            (format!("/v1beta/models/{model}:generateContent"), whole)
                        }
                    };
                    let agreed = agree("POST", &url, body.as_bytes(), &mut memory);
                    agreed.unwrap_or_else(|error| panic!("{} {model} {loss:?}: {error}", path.display()));
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 200, "{seen}");
}

#[test]
fn what_is_relayed_or_refused_is_explained_as_it_is_served() {
    let mut memory = memory(snapshot(Loss::Warn));
    let chat = br#"{"model":"all","messages":[{"role":"user","content":"hi"}]}"#;
    let cases: [(&str, &str, &[u8]); 16] = [
        ("GET", "/", b""),
        ("GET", "/v1/models", b""),
        ("POST", "/v1/feedback", br#"{"exchange":"x","score":1}"#),
        ("POST", "/v1/feedback", br#"{"exchange":"x"}"#),
        ("GET", "/v1/feedback", b""),
        ("GET", "/v1/files", b""),
        ("POST", "/nowhere", b""),
        ("GET", "/v1/chat/completions", b""),
        ("POST", "/v1/chat/completions?key=k", chat),
        ("POST", "/v1/chat/completions", b"{"),
        ("POST", "/v1/chat/completions", br#"{"messages":[]}"#),
        ("POST", "/v1/chat/completions", br#"{"model":7}"#),
        ("POST", "/v1/images/generations", br#"{"model":"all"}"#),
        ("POST", "/v1/embeddings", br#"{"model":"all","input":[1,2]}"#),
        ("POST", "/v1/embeddings", br#"{"model":"foreign","input":"a"}"#),
        ("POST", "/v1/chat/completions", br#"{"model":"foreign","n":2,"messages":[{"role":"user","content":"hi"}]}"#),
    ];
    for (method, path, body) in cases {
        agree(method, path, body, &mut memory).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    }
}

#[test]
fn a_member_that_ties_is_named_now_and_later() {
    let mut memory = memory(snapshot(Loss::Warn));
    let body = br#"{"model":"foreign","n":2,"messages":[{"role":"user","content":"hi"}]}"#;
    let (record, _) = lived("POST", "/v1/chat/completions", body, &mut memory);
    let snapshot = memory.snapshot().unwrap();
    let now = explain("POST", "/v1/chat/completions", &headers(), body, Situation::default(), snapshot);
    let Fate::Refused(denial) = &now.fate else { panic!("{now:?}") };
    assert_eq!((denial.code.as_str(), denial.param.as_deref()), ("tied", Some("n")));
    assert_eq!(explain_record(&record, snapshot).fate, now.fate);
}

#[test]
fn every_candidate_has_its_verdict() {
    let body = br#"{"model":"small","messages":[{"role":"user","content":"hi"}],"tools":[
        {"type":"function","function":{"name":"f"}}]}"#;
    let snapshot = snapshot(Loss::Warn);
    let explanation = explain("POST", "/v1/chat/completions", &headers(), body, Situation::default(), &snapshot);
    let verdicts: Vec<_> = explanation.candidates.iter().map(|weighed| &weighed.verdict).collect();
    let lacks = Verdict::Lacks(Abilities::TOOLS);
    let planned = [1, 2, 3].map(Verdict::Planned);
    assert_eq!(verdicts, [&planned[0], &lacks, &planned[1], &lacks, &planned[2], &lacks, &Verdict::Repeated]);
    assert_eq!(explanation.resolution, Some(Resolution::Route("small")));
    let ways: Vec<_> =
        explanation.candidates.iter().filter_map(|weighed| Some(weighed.telling.as_ref()?.way)).collect();
    assert_eq!(ways, [Way::Relay, Way::Interpret, Way::Interpret]);
}

#[test]
fn what_a_strict_route_leaves_out_is_explained_by_what_cannot_be_said() {
    let body = br#"{"model":"all","logprobs":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let snapshot = snapshot(Loss::Strict);
    let explanation = explain("POST", "/v1/chat/completions", &headers(), body, Situation::default(), &snapshot);
    assert_eq!(explanation.planned().collect::<Vec<_>>(), ["chat_completions/large", "chat_completions/small"]);
    let text = written(&explanation);
    let said = r#"{"target":"messages/large","provider":"messages","verdict":"excluded","reason":"loss","unsaid":["logprobs"],"pool":true,"weight":1}"#;
    assert!(text.contains(said), "{text}");
    assert_eq!(text.matches(r#""reason":"loss""#).count(), 10, "all are asked for whom it can be said: {text}");
}

#[test]
fn a_grant_is_kept_to_and_a_document_has_what_was_reached() {
    let grant = Grant {
        caller: "c".into(),
        scopes: vec![crate::admission::Scope {
            routes: Some(vec!["all".into()]),
            ..crate::admission::Scope::default()
        }],
        ..Grant::default()
    };
    let snapshot = snapshot(Loss::Warn);
    let body = br#"{"model":"small","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let explanation = explain(
        "POST",
        "/v1/messages",
        &headers(),
        body,
        Situation { grant: Some(&grant), ..Situation::default() },
        &snapshot,
    );
    assert_eq!(
        written(&explanation),
        concat!(
            r#"{"fate":"refused","refusal":{"status":403,"code":"route_forbidden","#,
            r#""message":"this API key may not use the model `small`","param":"model"},"#,
            r#""snapshot":7,"dialect":"messages","operation":"generate","streamed":true,"model":"small","#,
            r#""needs":{"abilities":[],"estimated_tokens":12,"output_limit":9},"plan":[],"candidates":[]}"#
        )
    );
}

#[test]
fn an_explanation_says_which_rules_hold_and_what_they_change_but_no_values() {
    let read = |row: &str| Rule::read(Json::parse(row.as_bytes()).unwrap()).unwrap();
    let rules = vec![
        read(
            r#"{"name":"calm","request":{"cap":{"temperature":0.8},"append_system":"hidden"},"response":{"mask":true}}"#,
        ),
        read(
            r#"{"name":"mine","keys":["c"],"request":{"headers":{"x-a":"hidden"}},"response":{"append_text":"hidden"}}"#,
        ),
        read(r#"{"name":"others","keys":["d"],"request":{"remove":["seed"]}}"#),
    ];
    let snapshot = snapshot(Loss::Warn).with_rules(rules).unwrap();
    let body = br#"{"model":"foreign","temperature":2,"messages":[{"role":"user","content":"hi"}]}"#;
    let situation = |grant| Situation { grant, ..Situation::default() };
    let explain = |grant| explain("POST", "/v1/chat/completions", &headers(), body, situation(grant), &snapshot);
    let grant = Grant { caller: "c".into(), ..Grant::default() };
    let text = written(&explain(Some(&grant)));
    let json = Json::parse(text.as_bytes()).unwrap();
    assert_eq!(json.get("rules").unwrap().as_str(), r#"["calm","mine"]"#);
    let answered = r#"[{"rule":"calm","members":["model"]},{"rule":"mine","members":["text"]}]"#;
    assert_eq!(json.get("answer_changed").unwrap().as_str(), answered);
    let candidate = json.get("candidates").unwrap().items().next().unwrap();
    let changed = r#"[{"rule":"calm","members":["temperature","system"]},{"rule":"mine","members":["header x-a"]}]"#;
    assert_eq!(candidate.get("changed").unwrap().as_str(), changed, "{text}");
    assert!(!text.contains("hidden"), "{text}");
    assert_eq!(explain(None).rules, ["calm"], "of nobody's key only what holds for all is known");
    let (record, _) = lived("POST", "/v1/chat/completions", body, &mut memory(snapshot.clone()));
    assert_eq!(explain_record(&record, &snapshot).rules, ["calm", "mine"]);
    agree("POST", "/v1/chat/completions", body, &mut memory(snapshot)).unwrap();
}

#[test]
fn a_target_that_had_no_credential_is_missing_from_the_past() {
    let snapshot = snapshot(Loss::Warn);
    let record = Record {
        exchange: "x".into(),
        dialect: CHAT.name().into(),
        operation: "generate".into(),
        route: "foreign".into(),
        plan: vec!["converse/large".into()],
        ..Record::default()
    };
    let explanation = explain_record(&record, &snapshot);
    let verdicts: Vec<_> = explanation.candidates.iter().map(|weighed| &weighed.verdict).collect();
    assert_eq!(verdicts, [&Verdict::NotRecorded, &Verdict::Planned(1)]);
}

#[test]
fn the_past_says_who_was_left_alone_and_what_was_wrong_with_each_attempt() {
    let snapshot = snapshot(Loss::Warn);
    let all: Vec<String> = select::judge("foreign", Needs::only(CHAT, Operation::Generate), &snapshot)
        .candidates
        .iter()
        .map(|candidate| candidate.target.id.clone())
        .collect();
    let [rested, asked] = &all[..] else { panic!("{all:?}") };
    let failed = |failure| Outcome { target: asked.clone(), failure: Some(failure), ..Outcome::default() };
    let record = Record {
        exchange: "x".into(),
        dialect: CHAT.name().into(),
        operation: "generate".into(),
        route: "foreign".into(),
        plan: vec![asked.clone()],
        rested: vec![rested.clone()],
        outcomes: vec![
            failed(Failure::Overloaded),
            failed(Failure::Timeout),
            Outcome { target: asked.clone(), ..Outcome::default() },
        ],
        ..Record::default()
    };
    let text = written(&explain_record(&record, &snapshot));
    assert!(text.contains(r#""verdict":"excluded","reason":"resting""#), "{text}");
    assert!(text.contains(r#""failures":["overloaded","timeout"]"#), "{text}");
    let refused = Record {
        plan: vec![],
        rested: all.clone(),
        outcomes: vec![],
        refusal: "targets_resting".into(),
        status: 429,
        ..record
    };
    let verdicts: Vec<Verdict> =
        explain_record(&refused, &snapshot).candidates.into_iter().map(|weighed| weighed.verdict).collect();
    assert_eq!(verdicts, [Verdict::Resting, Verdict::Resting]);
}

proptest! {
    /// Needs that no body of ours has: whatever they are, the Plan is what is explained.
    #[test]
    fn the_plan_of_any_needs_is_the_one_explained(
        abilities in proptest::collection::vec(0_usize..7, 0..4),
        tokens in 0_u64..1500,
        tied in proptest::bool::ANY,
        dialect in 0_usize..6,
        operation in proptest::sample::select(vec![Operation::Generate, Operation::Embed, Operation::Images]),
        model in proptest::sample::select(vec!["all", "small", "foreign", "f-x", "messages/small", "converse:all", "nobody", "a b"]),
    ) {
        let snapshot = snapshot(Loss::Warn);
        let names: Vec<String> = abilities.iter().filter_map(|index| Abilities::ALL.names().nth(*index)).map(str::to_string).collect();
        let dialect = DialectId::ALL[dialect];
        let record = Record {
            exchange: "x".into(),
            dialect: dialect.name().into(),
            operation: operation.name().into(),
            route: model.into(),
            estimated_tokens: tokens,
            tied: if tied { "n".into() } else { String::new() },
            needs: names.clone(),
            ..Record::default()
        };
        let all = names.iter().filter_map(|name| Abilities::named(name)).fold(Abilities::NONE, Abilities::and);
        let needs = Needs { abilities: all, tokens, tied: tied.then_some("n"), ..Needs::only(dialect, operation) };
        let planned = select::plan(model, needs, &snapshot);
        let planned: Vec<String> = planned.map(|plan| plan.targets.into_iter().map(|target| target.id).collect()).unwrap_or_default();
        let explanation = explain_record(&record, &snapshot);
        prop_assert_eq!(explanation.planned().collect::<Vec<_>>(), planned);
    }
}

#[test]
fn who_rests_is_explained_as_a_request_meets_it() {
    let body = br#"{"model":"small","messages":[{"role":"user","content":"hi"}]}"#;
    let path = "/v1/chat/completions";
    let throttled = |memory: &mut Memory, target: &str, wait: Option<u64>| {
        let outcome = Outcome {
            target: target.into(),
            ending: Ending::Retriable,
            status: 429,
            failure: Some(Failure::Throttled),
            retry_after_ms: wait,
            ..Outcome::default()
        };
        memory.health.met(&outcome, "", 0, 0);
    };
    let mut snapshot = snapshot(Loss::Warn);
    snapshot.routes[1].candidates.truncate(4);
    let mut memory = memory(snapshot.clone());
    let asked: Vec<String> = explain("POST", path, &headers(), body, Situation::default(), &snapshot)
        .planned()
        .map(str::to_string)
        .collect();
    let [first, second, ..] = &asked[..] else { panic!("{asked:?}") };
    throttled(&mut memory, first, None);
    throttled(&mut memory, second, Some(9000));
    agree("POST", path, body, &mut memory).unwrap();
    let health = &memory.health;
    let situation = Situation { health: Some(health), ..Situation::default() };
    let explanation = explain("POST", path, &headers(), body, situation, &snapshot);
    let expected: Vec<&str> = asked[2..].iter().chain([first]).map(String::as_str).collect();
    assert_eq!(explanation.planned().collect::<Vec<_>>(), expected, "who is averse comes last");
    let of = |target: &str| explanation.candidates.iter().find(|weighed| weighed.target == target).unwrap();
    assert_eq!(of(second).verdict, Verdict::Resting);
    let rest = of(second).rest.unwrap();
    assert_eq!((rest.why, rest.until_ms, rest.firmness), (Failure::Throttled, 9000, Firmness::Banned));
    assert_eq!(of(first).rest.map(|rest| rest.firmness), Some(Firmness::Averse));
    assert!(written(&explanation).contains(r#""rests":{"why":"throttled","until_ms":9000,"firmness":"banned"}"#));

    // An own credential of the caller's is not meant.
    let own = |id: &str| id.split_once('/').unwrap().0.to_string();
    let own = asked.iter().map(|id| own(id)).collect();
    let grant = Grant { caller: "c".into(), account: "acme".into(), own, ..Grant::default() };
    let situation = Situation { grant: Some(&grant), health: Some(health), ..Situation::default() };
    let theirs = explain("POST", path, &headers(), body, situation, &snapshot);
    assert!(theirs.candidates.iter().all(|weighed| weighed.rest.is_none()), "{theirs:?}");

    asked.iter().for_each(|target| throttled(&mut memory, target, Some(9000)));
    agree("POST", path, body, &mut memory).unwrap();
    let situation = Situation { health: Some(&memory.health), ..Situation::default() };
    let explanation = explain("POST", path, &headers(), body, situation, &snapshot);
    assert!(matches!(&explanation.fate, Fate::Refused(denial) if denial.code == "targets_resting"), "{explanation:?}");
}
