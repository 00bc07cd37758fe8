//! Cache marks of other dialects' clients, who say them in this dialect's words; and members that are hints whatever their
//! name. What else is lost, [`crate::loss`] weighs.

use crate::dialect::Written;
use crate::json::{Json, Member};

/// The member by which a part is marked as the end of a prefix worth caching. Clients of other dialects say it in this
/// dialect's words, so it is written where it fits.
pub(super) const CACHE: &str = "cache_control";

/// Most cache marks that the provider takes in a request.
pub(super) const MAX_CACHE_MARKS: usize = 4;

/// Notes members of which none matters.
pub(super) fn note_as_hints(place: &str, extra: &[Member<'_>], written: &mut Written) {
    for (name, _) in extra.iter().filter(|(_, value)| !value.is_null()) {
        written.approximate(&format!("{place}{}", name.decode()));
    }
}

/// The members but for the cache mark, which is written.
pub(super) fn note_uncached(place: &str, extra: &[Member<'_>], written: &mut Written) {
    match extra.iter().any(|(name, _)| name.is(CACHE)) {
        false => written.lose(place, extra),
        true => {
            let rest: Vec<_> = extra.iter().filter(|(name, _)| !name.is(CACHE)).copied().collect();
            written.lose(place, &rest);
        }
    }
}

/// The cache mark among the members, if it is one.
pub(super) fn cache_mark<'a>(extra: &[Member<'a>]) -> Option<Json<'a>> {
    let (_, value) = extra.iter().find(|(name, _)| name.is(CACHE))?;
    let word = value.get("type").and_then(Json::text)?;
    word.is("ephemeral").then_some(*value)
}
