//! What the control plane tells of everybody's health: whom any data plane met a failure of, and what operators force.
//!
//! ```
//! use dragoman_core::health::{Fleet, Force, Told};
//! let told = Told { subject: "a/m".into(), since_ms: 7, force: Some(Force::Open), ..Told::default() };
//! let fleet = Fleet { told: vec![told] };
//! assert_eq!(Fleet::read(&fleet.write()), Some(fleet));
//! ```

use super::{Firmness, Rest};
use crate::failure::Failure;
use crate::json::{Json, Writer};

/// What an operator says, whatever is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Nobody asks it.
    Open,
    /// It is asked.
    Closed,
}

impl Force {
    /// Its name in documents and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Force::Open => "open",
            Force::Closed => "closed",
        }
    }

    /// What has that name.
    pub fn named(name: &str) -> Option<Force> {
        [Force::Open, Force::Closed].into_iter().find(|force| force.name() == name)
    }
}

/// What is told of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its name; see [`super`].
    pub subject: String,
    /// Since when this is so, in milliseconds since 1970: what is told with the same moment again is no news.
    pub since_ms: u64,
    /// Its breaker is open until then; after it probes are made.
    pub open_until_ms: Option<u64>,
    /// It is left alone.
    pub rest: Option<Rest>,
    /// What an operator says.
    pub force: Option<Force>,
    /// Whatever was before is over: it recovered, or an operator said so.
    pub is_over: bool,
}

/// All of whom there is something to tell. Who is not among them is as everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// In no order.
    pub told: Vec<Told>,
}

impl Fleet {
    /// Its document.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(128 * self.told.len() + 2);
        out.array(|out| self.told.iter().for_each(|told| told.write(out)));
        out.into_bytes()
    }

    /// Reads a document; `None` when it is none.
    pub fn read(document: &[u8]) -> Option<Fleet> {
        let json = Json::parse(document).ok()?;
        Some(Fleet { told: json.items().map(Told::read).collect::<Option<_>>()? })
    }
}

impl Told {
    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("subject").string(&self.subject);
            out.field("since_ms").number(self.since_ms);
            if let Some(until_ms) = self.open_until_ms {
                out.field("open_until_ms").number(until_ms);
            }
            if let Some(rest) = &self.rest {
                out.field("rest_until_ms").number(rest.until_ms);
                out.field("why").string(rest.why.name());
                out.field("banned").bool(rest.firmness == Firmness::Banned);
            }
            if let Some(force) = self.force {
                out.field("force").string(force.name());
            }
            if self.is_over {
                out.field("over").bool(true);
            }
        });
    }

    fn read(json: Json<'_>) -> Option<Told> {
        let number = |name: &str| json.get(name).and_then(Json::u64);
        let flag = |name: &str| json.get(name).and_then(Json::bool).unwrap_or(false);
        let rest = number("rest_until_ms").map(|until_ms| Rest {
            until_ms,
            why: json
                .get("why")
                .and_then(Json::string)
                .and_then(|name| Failure::named(&name))
                .unwrap_or(Failure::Faulty),
            firmness: if flag("banned") { Firmness::Banned } else { Firmness::Averse },
        });
        Some(Told {
            subject: json.get("subject")?.string()?,
            since_ms: number("since_ms")?,
            open_until_ms: number("open_until_ms"),
            rest,
            force: json.get("force").and_then(Json::string).and_then(|name| Force::named(&name)),
            is_over: flag("over"),
        })
    }
}
