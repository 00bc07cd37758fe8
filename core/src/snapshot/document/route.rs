//! A route in the Snapshot's document. Older documents have candidates only: all of them are the pool, in order.

use super::{choice, index, patience, strings_of};
use crate::json::{Json, Writer};
use crate::preferences::{Preference, Several};
use crate::snapshot::{Affinity, Balance, Loss, Pool, Regions, Route, Shadow};

pub(super) fn write(row: &Route, out: &mut Writer) {
    out.object(|out| {
        out.field("name").string(&row.name);
        out.field("candidates").array(|out| row.candidates.iter().for_each(|index| out.number(*index as u64)));
        out.field("loss").string(row.loss.name());
        let Pool { size, balance, weights, affinity, slow_start_ms } = &row.pool;
        if *size < row.candidates.len() {
            out.field("pool").number(*size as u64);
        }
        if *balance != Balance::InOrder {
            out.field("balance").string(balance.name());
        }
        if !weights.is_empty() {
            out.field("weights").array(|out| weights.iter().for_each(|weight| out.number(*weight)));
        }
        if let Some(affinity) = affinity {
            out.field("affinity").string(&affinity.written());
        }
        if *slow_start_ms > 0 {
            out.field("slow_start_ms").number(*slow_start_ms);
        }
        for (name, regions) in [("regions", &row.regions.required), ("preferred_regions", &row.regions.preferred)] {
            if !regions.is_empty() {
                out.field(name).strings(regions);
            }
        }
        patience::write(&row.patience, out);
        if let Some(choice) = &row.choice {
            choice::write(choice, out.field("choice"));
        }
        if row.preferences != Several::ALL {
            out.field("preferences").strings(row.preferences.names());
        }
        if let Some(Shadow { to, share }) = &row.shadow {
            out.field("shadow").object(|out| {
                out.field("to").string(to);
                out.field("share").number(*share);
            });
        }
    });
}

pub(super) fn read(row: Json<'_>) -> Option<Route> {
    let candidates: Vec<usize> = row.get("candidates")?.items().map(index).collect::<Option<_>>()?;
    let text = |name: &str| row.get(name).map(Json::string);
    let pool = Pool {
        size: row.get("pool").map_or(Some(usize::MAX), index)?,
        balance: text("balance").map_or(Some(Balance::InOrder), |name| Balance::named(&name?))?,
        weights: row.get("weights").into_iter().flat_map(Json::items).map(Json::u64).collect::<Option<_>>()?,
        affinity: match text("affinity") {
            Some(text) => Some(Affinity::read(&text?)?),
            None => None,
        },
        slow_start_ms: row.get("slow_start_ms").map_or(Some(0), Json::u64)?,
    };
    Some(Route {
        name: row.get("name").and_then(Json::string)?,
        candidates,
        loss: Loss::named(&row.get("loss").and_then(Json::string)?)?,
        pool,
        regions: Regions { required: strings_of(row, "regions")?, preferred: strings_of(row, "preferred_regions")? },
        patience: patience::read(row)?,
        choice: match row.get("choice") {
            Some(choice) => Some(choice::read(choice)?),
            None => None,
        },
        preferences: row.get("preferences").map_or(Some(Several::ALL), preferences)?,
        shadow: match row.get("shadow") {
            Some(shadow) => Some(Shadow { to: shadow.get("to")?.string()?, share: shadow.get("share")?.u64()? }),
            None => None,
        },
    })
}

fn preferences(names: Json<'_>) -> Option<Several> {
    names
        .items()
        .map(|name| Preference::named(&name.string()?))
        .try_fold(Several::NONE, |all, one| Some(all.with(one?)))
}
