//! Which reply answers which request.

use super::journal::Received;
use super::reply::Reply;

/// Which requests a rule is about; every condition given must hold.
#[derive(Clone, Debug, Default)]
pub struct When {
    path: Option<String>,
    model: Option<String>,
    header: Option<(String, String)>,
    words: Option<String>,
}

impl When {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests whose path has this part.
    pub fn path(part: &str) -> Self {
        Self { path: Some(part.to_owned()), ..Self::default() }
    }

    /// Requests for this model.
    pub fn model(model: &str) -> Self {
        Self { model: Some(model.to_owned()), ..Self::default() }
    }

    /// Requests with this header and value.
    pub fn header(name: &str, value: &str) -> Self {
        Self { header: Some((name.to_owned(), value.to_owned())), ..Self::default() }
    }

    /// Requests with these words in the body.
    pub fn mentions(words: &str) -> Self {
        Self { words: Some(words.to_owned()), ..Self::default() }
    }

    /// These requests, if they are also for this model.
    pub fn and_model(self, model: &str) -> Self {
        Self { model: Some(model.to_owned()), ..self }
    }

    fn holds(&self, received: &Received) -> bool {
        let path = self.path.as_deref().is_none_or(|part| received.path.contains(part));
        let model = self.model.is_none() || self.model == received.model();
        let header = self.header.as_ref().is_none_or(|(name, value)| received.header(name) == Some(value.as_str()));
        let words = self.words.as_deref().is_none_or(|words| received.mentions(words));
        path && model && header && words
    }
}

/// Rules, the first that holds decides; without one the persona answers.
///
/// The replies of a rule are given in order, whatever the connection; the last one repeats.
#[derive(Default)]
pub struct Script {
    rules: Vec<Rule>,
}

struct Rule {
    when: When,
    replies: Vec<Reply>,
    used: usize,
}

impl Script {
    /// The same reply to every request.
    pub fn always(reply: Reply) -> Self {
        Self::of([reply])
    }

    /// These replies in order to every request, the last one repeating.
    pub fn of(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::default().when(When::any(), replies)
    }

    /// Adds a rule behind those already there.
    pub fn when(mut self, when: When, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.rules.push(Rule::new(when, replies));
        self
    }

    pub(super) fn insert_first(&mut self, when: When, replies: impl IntoIterator<Item = Reply>) {
        self.rules.insert(0, Rule::new(when, replies));
    }

    /// The reply to this request.
    pub(super) fn next(&mut self, received: &Received) -> Reply {
        let rule = self.rules.iter_mut().find(|rule| rule.when.holds(received));
        rule.and_then(Rule::next).unwrap_or_else(Reply::persona)
    }
}

impl Rule {
    fn new(when: When, replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { when, replies: replies.into_iter().collect(), used: 0 }
    }

    fn next(&mut self) -> Option<Reply> {
        let reply = self.replies.get(self.used).or(self.replies.last())?.clone();
        self.used += 1;
        Some(reply)
    }
}
