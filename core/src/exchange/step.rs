//! What the machine wants of the filter, and what it asks the control plane.

use super::{Evidence, HeadEdits, LocalReply};
use crate::admission::{Caller, KeyDigest, Want};
use crate::memory::CredentialId;

/// What the filter shall do next.
#[derive(Debug)]
pub enum Step {
    /// Keep the request paused; more is coming.
    Wait,
    /// Ask the control plane, then call [`Exchange::advance`].
    Ask(Vec<Question>),
    /// Say where the client is ([`Exchange::comes_from`]), then call [`Exchange::advance`].
    Locate,
    /// Say what this is ([`Exchange::is_proven_by`]).
    Identify(Evidence),
    /// Change the request's head like this, choose the route anew and let it go.
    Send(HeadEdits),
    /// Answer at once.
    Reply(LocalReply),
}

/// A question for the control plane. Its answer goes into [`Memory`], but for that to feedback: [`Exchange::is_kept`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who holds this key?
    Admit(KeyDigest),
    /// Who is it whom this token or certificate names?
    Recognise(Caller),
    /// What authenticates to this provider, in whose name?
    Credential(CredentialId),
    /// More of the leases of these budgets.
    Lend(Vec<String>),
    /// So much of these budgets, kept for one exchange.
    Hold {
        /// The exchange's id.
        exchange: String,
        /// Whose it is.
        caller: String,
        /// Who pays.
        account: String,
        /// How much of what.
        wants: Vec<Want>,
    },
    /// Keep what a caller says of an exchange.
    Feedback {
        /// The id of the exchange that says it, not of the one that it is about.
        exchange: String,
        /// Who says it.
        caller: String,
        /// Who pays for the caller.
        account: String,
        /// What is said (see [`crate::feedback::Opinion`]).
        opinion: Vec<u8>,
    },
}

/// What to do with the response head that Envoy is about to send to the client.
#[derive(Debug)]
pub enum FinalHead {
    /// Change it like this; the body is right.
    Pass(HeadEdits),
    /// Envoy itself is speaking: change the head like this and replace the body.
    Replace(HeadEdits, Vec<u8>),
}
