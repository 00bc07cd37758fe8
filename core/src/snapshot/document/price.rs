//! A price in the Snapshot. When it holds is not said: the Snapshot is made anew when another one does.

use crate::json::{Json, Writer};
use crate::price::{Price, Rates, Tier};

pub(super) fn write(price: &Price, out: &mut Writer) {
    out.object(|out| {
        write_rates(&price.rates, out);
        if !price.tiers.is_empty() {
            out.field("tiers").array(|out| {
                for tier in &price.tiers {
                    out.object(|out| {
                        out.field("above").number(tier.above);
                        write_rates(&tier.rates, out);
                    });
                }
            });
        }
    });
}

pub(super) fn read(row: Json<'_>) -> Option<Price> {
    let tier = |row: Json<'_>| Some(Tier { above: row.get("above")?.u64()?, rates: read_rates(row)? });
    let tiers = row.get("tiers").into_iter().flat_map(Json::items).map(tier).collect::<Option<_>>()?;
    Some(Price { rates: read_rates(row)?, tiers, from_ms: None, until_ms: None })
}

fn write_rates(rates: &Rates, out: &mut Writer) {
    out.field("input").number(rates.input);
    out.field("output").number(rates.output);
    for (name, rate) in [
        ("cache_read", rates.cache_read),
        ("cache_write", rates.cache_write),
        ("cache_write_1h", rates.cache_write_1h),
        ("reasoning", rates.reasoning),
        ("audio_input", rates.audio_input),
        ("audio_output", rates.audio_output),
        ("image", rates.image),
        ("request", rates.request),
    ] {
        if let Some(rate) = rate {
            out.field(name).number(rate);
        }
    }
}

fn read_rates(row: Json<'_>) -> Option<Rates> {
    let optional = |name: &str| match row.get(name) {
        Some(rate) => rate.u64().map(Some),
        None => Some(None),
    };
    Some(Rates {
        input: row.get("input")?.u64()?,
        output: row.get("output")?.u64()?,
        cache_read: optional("cache_read")?,
        cache_write: optional("cache_write")?,
        cache_write_1h: optional("cache_write_1h")?,
        reasoning: optional("reasoning")?,
        audio_input: optional("audio_input")?,
        audio_output: optional("audio_output")?,
        image: optional("image")?,
        request: optional("request")?,
    })
}
