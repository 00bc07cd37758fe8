//! What rules make of an answer, in the dialect in which the client hears it.

use super::request::Touched;
use super::retouch::{Done, Retouch};
use super::word::answering_model;
use super::{Holding, Rule, Touch};
use crate::catalog::{DialectId, Operation};
use crate::hub::Delivery;
use crate::json::Json;
use crate::json::path::Path;
use crate::json::write::quoted;

impl Holding {
    fn concerned(&self, dialect: DialectId) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(AsRef::as_ref).filter(move |rule| rule.concerns(dialect))
    }

    /// The changes of an answer's members; `None` when there are none, and its bytes pass as they are. Of what is not generated
    /// rules know nothing but that it may be masked. `trouble` is an error of the dialect, framed as the answer is.
    pub fn retouch(
        &self,
        dialect: DialectId,
        operation: Operation,
        delivery: Delivery,
        trouble: impl FnOnce() -> Vec<u8>,
    ) -> Option<Retouch> {
        let touches =
            self.concerned(dialect).filter(|_| operation == Operation::Generate).flat_map(|rule| &rule.response);
        let mut done: Vec<Done> = touches.map(|touch| touch.filled(self)).collect();
        let trouble = self.masks(dialect).then(trouble);
        if let Some(told) = &trouble {
            let route = quoted(&self.words.route);
            done.extend(answering_model(dialect).iter().map(|place| Done::Replace(Path::of(place), route.clone())));
            // What is fetched later may say what went wrong.
            if let (Delivery::Whole, Ok(told)) = (delivery, Json::parse(told)) {
                let error = told.get("error").map(|error| error.as_str().to_string());
                done.extend(error.map(|error| Done::Replace(Path::of(&[&["error"]]), error)));
            }
        }
        (trouble.is_some() || !done.is_empty()).then(|| Retouch::new(done, trouble, delivery))
    }

    /// Whether the client must not learn who answers.
    pub fn masks(&self, dialect: DialectId) -> bool {
        self.concerned(dialect).any(|rule| rule.masks)
    }

    /// What is to be said at the end of an answer.
    pub fn closing(&self, dialect: DialectId) -> Option<String> {
        let texts = self.concerned(dialect).filter_map(|rule| rule.closing.as_ref());
        let text: String = texts.map(|text| text.fill(&self.words)).collect();
        (!text.is_empty()).then_some(text)
    }

    /// The headers that rules set for the client.
    pub fn response_headers(&self, dialect: DialectId) -> Vec<(String, String)> {
        let headers = self.concerned(dialect).flat_map(|rule| &rule.response_headers);
        headers.map(|(name, value)| (name.clone(), value.fill_header(&self.words))).collect()
    }

    /// What each rule would do to an answer.
    pub fn answered(&self, dialect: DialectId) -> Vec<Touched> {
        let touched = |rule: &Rule| {
            let mut members: Vec<String> = rule.response.iter().map(|touch| touch.path().written()).collect();
            members.extend(rule.masks.then(|| "model".to_string()));
            members.extend(rule.closing.as_ref().map(|_| "text".to_string()));
            members.extend(rule.response_headers.iter().map(|(name, _)| format!("header {name}")));
            Touched { rule: rule.name.clone(), members }
        };
        self.concerned(dialect).map(touched).filter(|touched| !touched.members.is_empty()).collect()
    }
}

impl Touch {
    fn filled(&self, holding: &Holding) -> Done {
        match self {
            Touch::Remove(path) => Done::Remove(path.clone()),
            Touch::Rename(path, name) => Done::Rename(path.clone(), name.clone()),
            Touch::Set(path, value) => Done::Set(path.clone(), value.json(holding)),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Touch::Remove(path) | Touch::Rename(path, _) | Touch::Set(path, _) => path,
        }
    }
}
