//! What a request has in common with those that should meet the same target.

use super::plan::Sought;
use crate::admission::Grant;
use crate::catalog::Operation;
use crate::dialect;
use crate::hub::{Part, Request, Role};
use crate::select::balance::hash;
use crate::snapshot::Affinity;

/// As much of one text as tells prompts apart.
const MAX_TEXT: usize = 64 << 10;

impl Sought<'_> {
    /// The number of what it has in common; `None` when it has nothing of that kind.
    pub(super) fn affinity(&self, affinity: &Affinity, grant: Option<&Grant>) -> Option<u64> {
        match affinity {
            Affinity::Header(name) => self.head.get(name).filter(|value| !value.is_empty()).map(hash),
            Affinity::User => {
                let (account, caller) = grant.map_or(("", ""), |grant| (grant.account.as_str(), grant.caller.as_str()));
                let user = self.request().and_then(|request| request.user).map(|user| user.decode().into_owned());
                let user = user.unwrap_or_default();
                (!(account.is_empty() && caller.is_empty() && user.is_empty())).then(|| hash((account, caller, user)))
            }
            Affinity::Prefix => self.request().as_ref().map(prefix),
        }
    }

    /// The request in nobody's dialect, where it is understood.
    fn request(&self) -> Option<Request<'_>> {
        let is_read = self.endpoint.operation == Operation::Generate;
        let client = is_read.then(|| dialect::client(self.endpoint.dialect))?;
        client.read_request(self.endpoint, self.content.json()).ok()
    }
}

/// The number of a conversation: of how it begins.
pub(super) fn prefix(request: &Request<'_>) -> u64 {
    let told = |role| matches!(role, Role::System | Role::Developer);
    let first = request.turns.iter().position(|turn| !told(turn.role)).unwrap_or(request.turns.len());
    let texts = request.turns.iter().take(first + 1).flat_map(|turn| &turn.parts).filter_map(text);
    hash(texts.collect::<Vec<_>>())
}

/// The bytes of a part by which prompts are told apart.
fn text<'r>(part: &'r Part<'_>) -> Option<&'r [u8]> {
    let text = match part {
        Part::Text { text, .. } => text.raw().as_bytes(),
        Part::Other(json) => json.as_str().as_bytes(),
        _ => return None,
    };
    Some(text.get(..MAX_TEXT).unwrap_or(text))
}

#[cfg(test)]
mod tests;
