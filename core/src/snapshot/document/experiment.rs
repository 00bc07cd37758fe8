//! Experiments in a Snapshot.

use crate::json::{Json, Writer};
use crate::snapshot::{Affinity, Arm, ChoosesBy, Experiment};

pub(super) fn write(row: &Experiment, out: &mut Writer) {
    out.object(|out| {
        out.field("name").string(&row.name);
        out.field("route").string(&row.route);
        if let Some(sticky) = &row.sticky {
            out.field("sticky").string(&sticky.written());
        }
        out.field("arms").array(|out| {
            for arm in &row.arms {
                out.object(|out| {
                    out.field("name").string(&arm.name);
                    out.field("to").string(&arm.to);
                    out.field("weight").number(arm.weight);
                    if let Some(by) = arm.by.written() {
                        out.field("artifact").string(by);
                    }
                });
            }
        });
    });
}

pub(super) fn read(row: Json<'_>) -> Option<Experiment> {
    let text = |row: Json<'_>, name: &str| row.get(name).and_then(Json::string);
    let arm = |row: Json<'_>| {
        let by = match text(row, "artifact") {
            Some(by) => ChoosesBy::read(&by)?,
            None => ChoosesBy::InUse,
        };
        Some(Arm { name: text(row, "name")?, to: text(row, "to")?, weight: row.get("weight")?.u64()?, by })
    };
    Some(Experiment {
        name: text(row, "name")?,
        route: text(row, "route")?,
        sticky: match text(row, "sticky") {
            Some(sticky) => Some(Affinity::read(&sticky)?),
            None => None,
        },
        arms: row.get("arms")?.items().map(arm).collect::<Option<_>>()?,
    })
}
