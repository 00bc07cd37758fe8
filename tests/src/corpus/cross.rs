//! An answer said in a client's dialect and read back by that dialect's own reader: the same answer, or the difference is listed.

use std::collections::HashSet;

use dragoman_core::catalog::DialectId;
use dragoman_core::hub::{Delivery, StopReason, provenance};
use dragoman_core::interpret::Progress;
use dragoman_core::usage::Usage;

use super::expected::{Differences, short};
use super::heard::{Ended, Heard, MAKER, Told, decode, hear, tell};
use super::meaning::leaves;
use super::recording::{Recording, base64};

/// The dialects that clients speak.
pub const CLIENTS: [DialectId; 4] =
    [DialectId::ChatCompletions, DialectId::Messages, DialectId::GenerateContent, DialectId::Responses];

/// How a client of a dialect may want its answer.
fn deliveries(client: DialectId) -> &'static [Delivery] {
    match client {
        DialectId::GenerateContent => &[Delivery::Whole, Delivery::Streamed, Delivery::StreamedArray],
        _ => &[Delivery::Whole, Delivery::Streamed],
    }
}

/// Says the recorded answer to a client, in every way it may come, and compares what is read back with `direct`, the answer as
/// the provider's dialect reads it.
pub fn problems(recording: &Recording, provider: DialectId, client: DialectId, direct: &Heard) -> Vec<String> {
    let mut found = Vec::new();
    for delivery in deliveries(client) {
        let told = tell((provider, recording.framing), (client, *delivery), [recording.bytes.as_slice()]);
        let faults = compare(provider, client, *delivery, direct, &told);
        found.extend(faults.into_iter().map(|fault| format!("{delivery:?}: {fault}")));
    }
    found
}

fn compare(provider: DialectId, client: DialectId, delivery: Delivery, direct: &Heard, told: &Told) -> Vec<String> {
    let mut found = Differences::default();
    found.same("counts for the Record", &direct.usage, &told.usage);
    let Ended::Well(reason) = direct.ended else {
        broken(client, delivery, direct, told, &mut found);
        return found.0;
    };
    if told.progress != Progress::Complete {
        found.fault(format!("not complete: {:?}", told.progress));
        return found.0;
    }
    let back = hear(client, told.framing, [told.bytes.as_slice()]);
    match &back.ended {
        Ended::Well(said) if near(reason, *said, direct) => {}
        ended => found.fault(format!("finish: {reason:?} came back as {ended:?}")),
    }
    // A dialect without a word for a refusal says it as text.
    let all = |heard: &Heard| format!("{}{}", heard.text, heard.refusal);
    found.same("text", &all(direct), &all(&back));
    if !told.lost.contains(&"thinking") {
        found.same("thinking", &direct.thinking, &back.thinking);
    }
    calls(direct, &back, &mut found);
    counts(client, &direct.usage, &back.usage, &mut found);
    if provider != client {
        proofs(direct, &back, &mut found);
    }
    found.0
}

/// Every proof that a client gets bears its maker's mark, or says that it is nobody's.
fn proofs(direct: &Heard, back: &Heard, found: &mut Differences) {
    let mark = provenance::mark(MAKER);
    let is_known = |proof: &str| match proof.strip_prefix(&mark) {
        Some(bare) => direct.proofs.iter().any(|known| known == bare),
        None if proof.is_empty() || proof == provenance::mark("0000000000000000") => true,
        // A dialect whose proofs are documents.
        None => serde_json::from_str::<serde_json::Value>(proof).is_ok_and(|document| {
            let marked = |known: &String| format!("{mark}{known}");
            let words = leaves(&document);
            direct.proofs.iter().any(|known| words.contains(&marked(known)))
        }),
    };
    // A dialect whose proofs are bytes.
    let wrapped = |proof: &str| base64(proof).and_then(|bytes| String::from_utf8(bytes).ok());
    let is_known = |proof: &String| is_known(proof) || wrapped(proof).is_some_and(|inside| is_known(&decode(&inside)));
    if let Some(strange) = back.proofs.iter().find(|proof| !is_known(proof)) {
        found.fault(format!("proof {} for {}", short(strange), short(&direct.proofs)));
    }
}

/// A broken answer has no whole form, and its streamed form says that it is broken.
fn broken(client: DialectId, delivery: Delivery, direct: &Heard, told: &Told, found: &mut Differences) {
    if !matches!(told.progress, Progress::Failed(_)) {
        found.fault(format!("a broken answer ends as {:?}", told.progress));
    }
    if delivery == Delivery::Whole {
        found.same("bytes of a broken whole answer", &0, &told.bytes.len());
        return;
    }
    let back = hear(client, told.framing, [told.bytes.as_slice()]);
    if !matches!(back.ended, Ended::Badly(_)) {
        found.fault(format!("a broken stream is read back as {:?}", back.ended));
    }
    found.same("text before the break", &direct.text, &back.text);
}

/// Whether a reason to stop came back as itself or as the nearest word of a dialect that has no own one.
fn near(reason: StopReason, back: StopReason, direct: &Heard) -> bool {
    use StopReason::{End, Length, MalformedCall, Other, Paused, Refused, Sequence, ToolCalls};
    let refused = reason == End && back == Refused && !direct.refusal.is_empty();
    // A call that was cut has no form where arguments are an object.
    let malformed = back == MalformedCall && direct.calls.iter().any(|call| !call.arguments.is_object());
    reason == back
        || refused
        || malformed
        || matches!(
            (reason, back),
            (Sequence | Paused | Other, End)
                // A call of a tool that nobody offered is a call all the same.
                | (MalformedCall, ToolCalls)
                | (Paused, Length | Other)
                | (MalformedCall, Other | End | Refused)
                // Calls say so themselves.
                | (End, ToolCalls)
        )
}

fn calls(direct: &Heard, back: &Heard, found: &mut Differences) {
    let bare = |heard: &Heard| -> Vec<(String, serde_json::Value)> {
        heard.calls.iter().map(|call| (call.name.clone(), nothing_is_empty(&call.arguments))).collect()
    };
    // Arguments that are no object can only be said by dialects that have them as text; elsewhere they are wrapped or, when the
    // call is called malformed, left out.
    let sound = direct.calls.iter().all(|call| call.arguments.is_object() || call.arguments.is_null());
    match sound {
        true => found.same("calls", &bare(direct), &bare(back)),
        false => {
            let names = |heard: &Heard| heard.calls.iter().map(|call| call.name.clone()).collect::<Vec<_>>();
            let left_out = [StopReason::MalformedCall, StopReason::Length].map(Ended::Well);
            if !left_out.contains(&back.ended) {
                found.same("names of calls", &names(direct), &names(back));
            }
        }
    }
    let ids: Vec<&String> = back.calls.iter().filter_map(|call| call.id.as_ref()).collect();
    let given: HashSet<&String> = direct.calls.iter().filter_map(|call| call.id.as_ref()).collect();
    // Only what the provider itself doubled may stand twice.
    let doubled = given.len() < direct.calls.iter().filter(|call| call.id.is_some()).count();
    let distinct: HashSet<&&String> = ids.iter().collect();
    if distinct.len() < ids.len() && !doubled {
        found.fault(format!("two calls with one id: {ids:?}"));
    }
    for (one, two) in direct.calls.iter().zip(&back.calls) {
        if let (Some(one), Some(two)) = (&one.id, &two.id) {
            found.same("id of a call", one, two);
        }
    }
}

/// Arguments that are not there are empty.
fn nothing_is_empty(arguments: &serde_json::Value) -> serde_json::Value {
    match arguments.is_null() {
        true => serde_json::json!({}),
        false => arguments.clone(),
    }
}

/// Counts that were not reported count as none: some dialects demand a number.
fn counts(client: DialectId, direct: &Usage, back: &Usage, found: &mut Differences) {
    let number = |count: Option<u64>| count.unwrap_or(0);
    let cached = number(direct.cache_read) + number(direct.cache_write);
    // Some providers count more from the cache than they count in all, and reasoning apart from the output. A dialect that adds
    // the parts up can then only say the sum.
    if number(direct.input) >= cached || number(back.input) != cached {
        found.same("input tokens", &number(direct.input), &number(back.input));
    }
    let (output, reasoning) = (number(direct.output), number(direct.reasoning));
    if output >= reasoning || ![reasoning, output + reasoning].contains(&number(back.output)) {
        found.same("output tokens", &output, &number(back.output));
    }
    found.same("cache reads", &number(direct.cache_read), &number(back.cache_read));
    found.same("reasoning tokens", &reasoning, &number(back.reasoning));
    // Generate content has no place for what was written to a cache; it is part of the input.
    if client != DialectId::GenerateContent {
        found.same("cache writes", &number(direct.cache_write), &number(back.cache_write));
    }
}
