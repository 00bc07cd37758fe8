//! The settings file with the rows over it, read once for each state of the two.
//!
//! Why remembered: a change is tried before it is stored, looked at again while the rows are locked, and made afterwards. All
//! three mean the same settings, and reading thousands of rows is most of the work.

use std::sync::Mutex;

use crate::settings::{File, Kind, Known, Problem, SaidRow};
use crate::store::rows::Rows;

/// What was read last.
#[derive(Debug, Default)]
pub struct Effective {
    last: Mutex<Option<Last>>,
}

#[derive(Debug)]
struct Last {
    file: File,
    rows: Rows,
    effective: File,
}

/// Edits that were found to be good.
#[derive(Debug)]
pub struct Tried {
    /// All rows as they would be; `None` when nobody looked at them yet.
    rows: Option<Rows>,
    touched: Vec<(Kind, String)>,
}

impl Tried {
    /// Edits that lead to these rows and were found to be good.
    pub fn good(rows: Rows, touched: Vec<(Kind, String)>) -> Tried {
        Tried { rows: Some(rows), touched }
    }

    /// An edit of a row that nobody looked at yet.
    pub fn not_yet(kind: Kind, id: &str) -> Tried {
        Tried { rows: None, touched: vec![(kind, id.to_string())] }
    }

    /// Whether these are the rows that were found to be good.
    pub fn is_of(&self, rows: &Rows) -> bool {
        self.rows.as_ref().is_some_and(|tried| tried.say_the_same_as(rows))
    }

    /// The rows that the edits touch.
    pub fn touched(&self) -> &[(Kind, String)] {
        &self.touched
    }
}

impl Effective {
    /// The settings of a file with these rows over it. `shipped` never changes while the process lives.
    pub fn of(&self, file: &File, rows: &Rows, shipped: &Known) -> Result<File, Vec<Problem>> {
        let known = self.last.lock().ok().and_then(|last| {
            let last = last.as_ref().filter(|last| last.rows.say_the_same_as(rows) && last.file == *file)?;
            Some(last.effective.clone())
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let effective = read(file, rows, shipped)?;
        if let Ok(mut last) = self.last.lock() {
            *last = Some(Last { file: file.clone(), rows: rows.clone(), effective: effective.clone() });
        }
        Ok(effective)
    }
}

fn read(file: &File, rows: &Rows, shipped: &Known) -> Result<File, Vec<Problem>> {
    let mut said = Vec::with_capacity(rows.list.len());
    for row in &rows.list {
        match serde_json::from_str(&row.document) {
            Ok(members) => said.push(SaidRow { kind: row.kind, id: row.id.clone(), members }),
            Err(_) => {
                let message = "is no JSON object; somebody else wrote into the store".to_string();
                return Err(vec![Problem { row: Some((row.kind, row.id.clone())), member: None, message }]);
            }
        }
    }
    file.with(said, shipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::known;
    use crate::store::rows::{Condition, Edit};

    fn alias(to: &str) -> Edit {
        let to = Some(format!("{{\"to\":\"{to}\"}}"));
        Edit { kind: Kind::Alias, id: "a".into(), to, condition: Condition::None }
    }

    #[test]
    fn what_is_remembered_is_what_would_be_read() {
        let known = known().unwrap();
        let text = |name: &str| format!("[[model]]\nname = \"{name}\"\noffers = [\"local/{name}\"]\n");
        let files = ["one", "two"].map(|name| File::read("f", &text(name), &known).unwrap());
        let rows = ["one", "two"].map(|name| Rows::default().with(&[alias(name)]));
        let effective = Effective::default();
        for (file, row) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 0), (1, 1), (0, 0)] {
            let (file, rows) = (&files[file], &rows[row]);
            assert_eq!(effective.of(file, rows, &known), read(file, rows, &known));
        }
        assert!(effective.of(&files[0], &rows[1], &known).is_err(), "nobody is called that");
    }

    #[test]
    fn only_the_very_rows_that_were_tried_are_known_to_be_good() {
        let rows = Rows::default().with(&[alias("one")]);
        let tried = Tried::good(rows.clone(), Vec::new());
        assert!(tried.is_of(&rows));
        assert!(!tried.is_of(&Rows::default().with(&[alias("two")])) && !tried.is_of(&Rows::default()));
        assert!(!Tried::not_yet(Kind::Alias, "a").is_of(&Rows::default()));
    }
}
