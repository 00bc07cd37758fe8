//! To whom some of a route's requests also go, unseen.

use dragoman_core::snapshot::Shadow;

use super::members::{Members, Placed, Reading};

/// Reads `shadow = { to = "gpt-5-mini", share = 10 }`, with the place of the name.
pub(super) fn shadow(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Placed<Shadow>> {
    let mut members = row.table(reading, "shadow", "`shadow`")?;
    let at = members.at;
    let to = members.string(reading, "to");
    let share = members.number(reading, "share", 1, 100);
    members.end(reading);
    let (Some(to), Some(share)) = (to.filter(|to| !to.value.is_empty()), share) else {
        reading.mistake(at, "`shadow` says `to` whom and which `share` of the requests, for instance { to = \"corp/our-model\", share = 10 }");
        return None;
    };
    Some(Placed { at: to.at, value: Shadow { to: to.value, share } })
}
