//! Lists come in pages: `?limit=…&after=…`, and `next` says where the following one begins.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::Endpoint;
use super::problem::Problem;

/// Rows of one page when nobody says.
const USUAL: u32 = 100;
/// Most rows of one page.
const MOST: u32 = 1000;

/// Where a page begins and how long it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

impl Page {
    /// The page of a query that asks for more than a page.
    pub fn new(limit: Option<u32>, after: Option<String>) -> Page {
        Page { limit, after }
    }

    /// How many rows; an error when that is too many or none.
    pub fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit)
    }
}

/// How many rows a page has.
pub fn limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit as usize),
        _ => Err(Problem::bad(format!("A page has 1 to {MOST} rows."))),
    }
}

/// How many rows are asked for to see whether there is another page.
pub fn one_more(limit: usize) -> u32 {
    u32::try_from(limit + 1).unwrap_or(u32::MAX)
}

/// One page.
#[derive(Debug, Serialize)]
pub struct Listed<T> {
    /// Its rows.
    pub items: Vec<T>,
    /// The `after` of the next page; null on the last one.
    pub next: Option<String>,
}

impl<T> Listed<T> {
    /// The page of a sorted list that begins behind `page.after`; `name` is what the list is sorted by.
    pub fn of(all: impl Iterator<Item = T>, page: &Page, name: impl Fn(&T) -> String) -> Result<Listed<T>, Problem> {
        let limit = page.limit()?;
        let begun = all.filter(|row| page.after.as_ref().is_none_or(|after| name(row) > *after));
        let mut items: Vec<T> = begun.take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(name);
        Ok(Listed { items, next })
    }

    /// A page that was asked for with one row more than it has, which shows whether there is another.
    pub fn cut(mut items: Vec<T>, limit: usize, name: impl Fn(&T) -> String) -> Listed<T> {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(name);
        Listed { items, next }
    }
}

/// The schema of a page of those.
pub fn schema(item: Value) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": { "type": "array", "items": item },
            "next": { "type": ["string", "null"], "description": "The `after` of the next page; null on the last one." },
        },
    })
}

/// The parameters of a page whose rows are named by anything.
pub fn asked(endpoint: Endpoint) -> Endpoint {
    asked_after(endpoint, "")
}

/// The parameters of a page whose rows are numbered.
pub fn asked_by_number(endpoint: Endpoint) -> Endpoint {
    asked_after(endpoint, "^[0-9]{1,18}$")
}

/// The parameters of a page; `pattern` is what its `after` looks like.
pub fn asked_after(endpoint: Endpoint, pattern: &str) -> Endpoint {
    endpoint
        .query(
            "limit",
            json!({ "type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL }),
            "Rows of a page.",
        )
        .query("after", json!({ "type": "string", "pattern": pattern }), "The `next` of the page before.")
}
