//! Where a caller says what it prefers: in the body's member `dragoman`, which goes no further, and in headers.
//!
//! The body's word counts where both say the same: it is about this request, and a header often about all of a client's.

use super::content::Content;
use super::head::Head;
use super::wish::Wish;
use crate::admission::Grant;
use crate::catalog::{Provider, Target};
use crate::json::{Json, Writer};
use crate::preferences::{Preference, Preferences, Wrong};
use crate::refusal::Refusal;
use crate::select::{Choosing, Verdict};
use crate::snapshot::Route;

/// The member of a request that is the gateway's.
pub(super) const MEMBER: &str = "dragoman";

/// What a request says; refuses what is malformed, by its name.
pub(super) fn of(head: &Head, content: &Content) -> Result<Preferences, Refusal> {
    let mut said = match content.said() {
        Some(said) => Preferences::read(said).map_err(|Wrong(name, problem)| {
            let param = if name.is_empty() { MEMBER.to_string() } else { format!("{MEMBER}.{name}") };
            Refusal::BadMember { param, problem }
        })?,
        None => Preferences::default(),
    };
    let in_body: Vec<Preference> = said.said().collect();
    for which in Preference::ALL {
        let name = which.header();
        let mut values = head.headers.iter().filter(|(known, _)| known == name.as_bytes()).map(|(_, value)| value);
        let Some(first) = values.next() else { continue };
        let bad = |problem: &str| Refusal::BadMember { param: name.to_string(), problem: problem.to_string() };
        // A proxy may say a list in one header or in several.
        let mut text = first.clone();
        values.for_each(|more| text.extend([b",", more.as_slice()].concat()));
        let text = core::str::from_utf8(&text).map_err(|_| bad("must be UTF-8"))?;
        let mut unheard = Preferences::default();
        let heard = if in_body.contains(&which) { &mut unheard } else { &mut said };
        heard.set(which, Json::trusted(&json(which, text))).map_err(bad)?;
    }
    Ok(said)
}

/// A header's words as the JSON that says the same.
fn json(which: Preference, text: &str) -> String {
    let mut out = Writer::with_capacity(64);
    let parts = || text.split(',').map(str::trim);
    match which {
        Preference::MinThroughput | Preference::Alpha | Preference::Bucket => out.string(text.trim()),
        Preference::MaxPrice => out.object(|out| {
            for part in parts() {
                let (name, amount) = part.split_once('=').unwrap_or((part, ""));
                out.field(name.trim()).string(amount.trim());
            }
        }),
        Preference::Regions | Preference::DataPolicy | Preference::Order | Preference::Only | Preference::Not => {
            out.strings(parts());
        }
    }
    String::from_utf8(out.into_bytes()).unwrap_or_default()
}

/// What speaks against a target for this caller: it may not use it, or prefers others.
pub(super) fn against<'a>(
    grant: Option<&'a Grant>,
    wish: &'a Wish,
    choosing: &Choosing<'a>,
) -> impl Fn(&Target, &Provider) -> Option<Verdict> + Copy + use<'a> {
    let (pulses, now_ms) = (choosing.pulses, choosing.now_ms);
    move |target, provider| {
        if grant.is_some_and(|grant| !grant.scopes.is_empty() && !grant.allows_target(&target.id)) {
            return Some(Verdict::NotGranted);
        }
        let felt = pulses.of(&target.id).and_then(|pulse| pulse.throughput(now_ms));
        let unmet = wish.preferences.unmet(target, provider, wish.needs.tokens, felt);
        (!unmet.is_empty()).then_some(Verdict::Unmet(unmet))
    }
}

/// Refuses what a route does not leave to its callers.
pub(crate) fn permit(said: &Preferences, route: Option<&Route>) -> Result<(), Refusal> {
    let allowed = route.map(|route| route.preferences).unwrap_or_default();
    match said.said().find(|which| !allowed.has(*which)) {
        Some(which) => Err(Refusal::BadMember {
            param: format!("{MEMBER}.{}", which.name()),
            problem: "is nothing that callers of this model may say".into(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
