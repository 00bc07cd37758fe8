//! Questions on their way to the control plane: each is asked once, however many streams wait for its answer.
//!
//! Why so: a thousand requests with one new key are one question.
//!
//! Limits: at most [`MAX_CALLS`] at a time, and feedback beside half as many only; a stream that leaves stays noted until the answer, which costs four bytes.

use std::collections::BTreeMap;

use dragoman_core::exchange::Question;

/// Most questions on their way at once. A flood of made-up keys ends here, and what is known already goes on being served.
pub const MAX_CALLS: usize = 1024;

/// Feedback waits for seconds, and no flood of it may take the places of questions that requests wait for.
const MAX_BESIDE_FEEDBACK: usize = MAX_CALLS / 2;

/// A question that was asked.
#[derive(Debug)]
pub struct Call {
    /// What was asked.
    pub question: Question,
    /// Who waits for the answer.
    pub waiting: Vec<u32>,
}

/// Questions on their way, by the host's token.
#[derive(Debug, Default)]
pub struct Calls(BTreeMap<u32, Call>);

impl Calls {
    /// Has `stream` (none for the worker itself) wait for the answer to a question that is on its way, or `ask`s it, which
    /// gives a token. False when the question cannot be asked.
    pub fn join(&mut self, question: &Question, stream: Option<u32>, ask: impl FnOnce() -> Option<u32>) -> bool {
        if let Some(call) = self.0.values_mut().find(|call| call.question == *question) {
            call.waiting.extend(stream);
            return true;
        }
        let most = if matches!(question, Question::Feedback { .. }) { MAX_BESIDE_FEEDBACK } else { MAX_CALLS };
        let token = if self.0.len() < most { ask() } else { None };
        let Some(token) = token else { return false };
        self.0.insert(token, Call { question: question.clone(), waiting: stream.into_iter().collect() });
        true
    }

    /// The call of that token, which is over.
    pub fn take(&mut self, token: u32) -> Option<Call> {
        self.0.remove(&token)
    }

    /// The calls whose end nobody will tell: the host cancels them with the root context that made them.
    pub fn take_all(&mut self) -> impl Iterator<Item = Call> {
        std::mem::take(&mut self.0).into_values()
    }

    /// Whether a stream waits for an answer.
    pub fn awaited_by(&self, stream: u32) -> bool {
        self.0.values().any(|call| call.waiting.contains(&stream))
    }
}

#[cfg(test)]
mod tests {
    use dragoman_core::memory::CredentialId;

    use super::*;

    fn question(name: &str) -> Question {
        Question::Credential(CredentialId::of_gateway(name))
    }

    #[test]
    fn a_question_is_asked_once_and_everyone_waits_for_its_answer() {
        let mut calls = Calls::default();
        assert!(calls.join(&question("a"), Some(1), || Some(70)));
        assert!(calls.join(&question("a"), Some(2), || panic!("asked twice")));
        assert!(calls.join(&question("b"), Some(2), || Some(71)));
        assert!(calls.join(&question("b"), None, || panic!("asked twice")));
        assert_eq!(calls.take(70).unwrap().waiting, [1, 2]);
        assert!(!calls.awaited_by(1) && calls.awaited_by(2));
        assert_eq!(calls.take(71).unwrap().question, question("b"));
        assert!(!calls.awaited_by(2) && calls.take(71).is_none());
        assert!(calls.join(&question("a"), None, || Some(72)));
    }

    #[test]
    fn a_question_that_is_lost_can_be_asked_again() {
        let mut calls = Calls::default();
        assert!(calls.join(&question("a"), Some(1), || Some(70)));
        assert_eq!(calls.take_all().map(|call| call.waiting).collect::<Vec<_>>(), [[1]]);
        assert!(!calls.awaited_by(1));
        assert!(calls.join(&question("a"), Some(2), || Some(71)));
    }

    #[test]
    fn a_question_that_cannot_be_asked_is_awaited_by_nobody() {
        let mut calls = Calls::default();
        assert!(!calls.join(&question("a"), Some(1), || None));
        assert!(!calls.awaited_by(1));
        for token in 0..=u32::try_from(MAX_CALLS).unwrap() {
            assert_eq!(calls.join(&question(&token.to_string()), None, || Some(token)), (token as usize) < MAX_CALLS);
        }
    }

    #[test]
    fn feedback_leaves_room_for_what_requests_wait_for() {
        let mut calls = Calls::default();
        for token in 0..u32::try_from(MAX_CALLS).unwrap() {
            let (exchange, caller, account) = (token.to_string(), String::new(), String::new());
            let feedback = Question::Feedback { exchange, caller, account, opinion: Vec::new() };
            assert_eq!(calls.join(&feedback, Some(1), || Some(token)), (token as usize) < MAX_BESIDE_FEEDBACK);
        }
        assert!(calls.join(&question("a"), None, || Some(u32::MAX)));
    }
}
