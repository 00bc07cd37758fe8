//! The same two machines without wasm: what the filters' shell does around them, said once more and plainly.

use std::rc::Rc;

use dragoman_core::admission::Grant;
use dragoman_core::attempt::{Attempt, Body, HeadVerdict};
use dragoman_core::exchange::{After, Asked, Exchange, FinalHead, Head, HeadEdits, LocalReply, Question, RETRY, Step};
use dragoman_core::health::Fleet;
use dragoman_core::memory::{Credential, CredentialId, Memory};
use dragoman_core::secret::Secret;
use dragoman_core::snapshot::Snapshot;
use dragoman_tests::mock_host::world::{self, Header, NOW_NS, get};
use dragoman_tests::mock_host::{Answer, ControlPlane, Ends, Pace, Request, Sent, Served, envoy};

const NOW_MS: u64 = NOW_NS / 1_000_000;

fn apply(head: &mut Vec<Header>, edits: &HeadEdits) {
    edits.remove.iter().for_each(|name| world::remove(head, name));
    edits.set.iter().for_each(|(name, value)| world::set(head, name, value));
}

/// A worker's memory in which everything is known already.
pub fn memory(plane: &ControlPlane) -> Memory {
    let mut memory = Memory::default();
    memory.publish(Snapshot::read(&plane.snapshot).unwrap());
    memory.health.learn(Fleet::read(&plane.health).unwrap_or_default(), NOW_MS);
    for (key, grant) in &plane.grants {
        memory.admit(key.as_slice().try_into().unwrap(), Grant::read(grant), u64::MAX, NOW_MS);
    }
    for (id, (header, value)) in &plane.credentials {
        let credential = Credential { header: header.clone(), value: Secret::new(value.clone()), renewable: false };
        memory.equip(CredentialId::of_gateway(id), credential, 0, NOW_MS);
    }
    memory
}

/// Serves a request as exchange `id`; gives what came of it and the Record's document.
pub fn serve(memory: &mut Memory, id: &str, request: &Request, answers: &[Option<Answer>]) -> (Served, Vec<u8>) {
    let body = request.chunks.concat();
    let (mut exchange, step) = Exchange::begin(Head { headers: request.head.clone() }, id.to_owned(), memory, NOW_MS);
    let mut step = answered(&mut exchange, memory, step, request.pace);
    if let Step::Wait = step {
        step = exchange.body(body.clone(), memory, NOW_MS);
        step = answered(&mut exchange, memory, step, request.pace);
    }
    let mut served = Served::default();
    let told = match step {
        Step::Reply(reply) => {
            let (head, bytes) = local(reply);
            Told { head: Some(head), bytes, cut: false, ends: Ends::LastChunk }
        }
        Step::Send(edits) => {
            let mut head = request.head.clone();
            apply(&mut head, &edits);
            attempts((&mut exchange, memory), head, &body, answers, &mut served)
        }
        step => panic!("{step:?}"),
    };
    (served.body, served.cut) = (told.bytes, told.cut);
    if let Some(mut head) = told.head {
        let status = str::from_utf8(get(&head, ":status").unwrap()).unwrap().parse().unwrap_or(0);
        let retry = !(200..300).contains(&status) && get(&head, RETRY).is_some();
        match exchange.response_head(status, retry, memory) {
            FinalHead::Pass(edits) => apply(&mut head, &edits),
            FinalHead::Replace(edits, body) => {
                if told.ends == Ends::Head {
                    // Said anew from the beginning, for a head alone has no place for a body.
                    world::set(&mut head, b"content-type", b"application/json");
                    world::set(&mut head, b"content-length", b"");
                }
                apply(&mut head, &edits);
                if told.ends == Ends::Head {
                    world::set(&mut head, b"content-length", body.len().to_string().as_bytes());
                }
                served.body = body;
            }
        }
        served.head = head;
    }
    exchange.close();
    (served, exchange.record().unwrap().write())
}

/// Goes on after questions, as the control plane answers them: no to whatever is not remembered.
fn answered(exchange: &mut Exchange, memory: &mut Memory, step: Step, pace: Pace) -> Step {
    let Step::Ask(questions) = step else { return step };
    for question in questions.into_iter().filter(|_| pace != Pace::Away) {
        if let Question::Admit(key) = question {
            memory.admit(key, None, u64::MAX, NOW_MS);
        }
    }
    match exchange.advance(memory, NOW_MS) {
        Step::Wait if pace == Pace::Away => exchange.unanswered(),
        step => step,
    }
}

fn local(reply: LocalReply) -> (Vec<Header>, Vec<u8>) {
    let mut head = vec![(b":status".to_vec(), reply.status.to_string().into_bytes())];
    head.extend(reply.headers);
    world::set(&mut head, b"content-length", reply.body.len().to_string().as_bytes());
    (head, reply.body)
}

/// What comes to the router of an answer.
struct Told {
    /// None when it never came so far.
    head: Option<Vec<Header>>,
    bytes: Vec<u8>,
    cut: bool,
    ends: Ends,
}

fn attempts(
    (exchange, memory): (&mut Exchange, &mut Memory),
    mut head: Vec<Header>,
    body: &[u8],
    answers: &[Option<Answer>],
    served: &mut Served,
) -> Told {
    let asked: Rc<Asked> = exchange.asked().unwrap();
    for number in 1.. {
        let (turn, slot) = exchange.turn(number, memory, NOW_MS).unwrap();
        let cluster = asked.provider(&asked.plan[turn.place]).unwrap().cluster.clone();
        world::set(&mut head, b"x-envoy-attempt-count", number.to_string().as_bytes());
        let current: Vec<_> = head.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let (mut attempt, outgoing) =
            Attempt::begin(Rc::clone(&asked), turn, cluster.as_bytes(), &current, NOW_MS).unwrap();
        exchange.attempt_began(number, memory);
        head = outgoing.head;
        head.extend(slot.map(|(name, value)| (name.into_bytes(), value.into_bytes())));
        let body = match outgoing.body {
            Body::Replace(bytes) => bytes,
            Body::Keep => body.to_vec(),
            Body::Hold => panic!("nothing holds a request"),
        };
        served.attempts.push(Sent { cluster, head: head.clone(), body });
        let answer = answers.get(number - 1).and_then(Option::as_ref);
        let mut told = answer.map(|answer| hear(exchange, &mut attempt, answer));
        // Before its head a reset is as if nobody listened.
        told = told.filter(|told| told.head.is_some() || told.ends != Ends::Breaks);
        let again = told.as_ref().is_none_or(|told| told.head.as_ref().is_some_and(|head| get(head, RETRY).is_some()));
        if !again && answer.is_some_and(|answer| answer.ends == Ends::Leaves) {
            exchange.close();
        }
        exchange.attempt_ended(number, attempt.end(NOW_MS), memory, NOW_MS);
        if !again || turn.after == After::Nobody {
            return told.unwrap_or_else(|| {
                let Answer { head, chunks, ends } = envoy::unreachable();
                Told { head: Some(head), bytes: chunks.concat(), cut: false, ends }
            });
        }
    }
    unreachable!("a walk has an end")
}

fn hear(exchange: &mut Exchange, attempt: &mut Attempt, answer: &Answer) -> Told {
    let mut head = answer.head.clone();
    let mut told = Told { head: None, bytes: Vec::new(), cut: false, ends: answer.ends };
    // Whether Envoy holds bytes, and so a place for what is said at the very end.
    let mut place = false;
    let verdict = attempt.response_head(&head, answer.ends == Ends::Head, NOW_MS);
    let (edits, unsaid) = match verdict {
        HeadVerdict::Hold => (None, None),
        HeadVerdict::Pass(edits) => (Some(edits), None),
        HeadVerdict::Say(edits, body) => (Some(edits), Some(body)),
    };
    if let Some(edits) = edits {
        apply(&mut head, &edits);
        if get(&head, RETRY).is_none() {
            exchange.attempt_answers(attempt.number(), attempt.losses());
        }
        told.head = Some(head.clone());
    }
    if let Some(body) = unsaid {
        exchange.attempt_says(body);
    }
    let mut chunks = answer.chunks.clone();
    match answer.ends {
        Ends::Head => chunks.clear(),
        Ends::Breaks | Ends::Leaves => told.cut = true,
        Ends::LastChunk if !chunks.is_empty() => {}
        Ends::LastChunk | Ends::EmptyChunk | Ends::Trailers => chunks.push(Vec::new()),
    }
    let count = chunks.len();
    for (at, chunk) in chunks.into_iter().enumerate() {
        let ends = at + 1 == count && !told.cut;
        let said = attempt.response_body(&chunk, ends, NOW_MS);
        if let Some(edits) = &said.head {
            apply(&mut head, edits);
            told.head = Some(head.clone());
        }
        if said.answers {
            exchange.attempt_answers(attempt.number(), attempt.losses());
        }
        let bytes = match said.body {
            Body::Keep => chunk,
            Body::Replace(bytes) => bytes,
            Body::Hold => {
                place = true;
                continue;
            }
        };
        if ends && answer.ends == Ends::Trailers && !place && !bytes.is_empty() {
            // What would have to be added at the trailers has no place. The head says it, or else a reset.
            told.cut = said.head.is_none();
        } else {
            told.bytes.extend(bytes);
        }
        place = false;
    }
    told
}
