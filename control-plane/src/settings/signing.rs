//! Who signs requests when a provider takes no key: Envoy itself, in the cloud's own way.

use super::members::{Members, Placed, Reading};
use super::variable::mention;

/// AWS Signature Version 4, made by Envoy with the credentials that it finds in its own surroundings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// The service's name in the signature: `bedrock`.
    pub service: String,
    /// The region in the signature; may be a variable.
    pub region: String,
}

/// Reads `signing = { aws = { service = "bedrock", region = "{region}" } }`.
pub(super) fn signing(
    reading: &mut Reading<'_>,
    row: &mut Members<'_>,
    mentions: &mut Vec<Placed<String>>,
) -> Option<Signing> {
    let mut kinds = row.table(reading, "signing", "`signing`")?;
    let at = kinds.at;
    let aws = kinds.table(reading, "aws", "`aws`");
    kinds.end(reading);
    let Some(mut aws) = aws else {
        reading.mistake(at, "`signing` is written { aws = { service = \"bedrock\", region = \"eu-central-1\" } }");
        return None;
    };
    let service = aws.string(reading, "service").filter(|text| !text.value.is_empty());
    let region = aws.string(reading, "region").filter(|text| !text.value.is_empty());
    aws.end(reading);
    if let Some(region) = &region {
        mention(reading, region, mentions);
    }
    match (service, region) {
        (Some(service), Some(region)) => Some(Signing { service: service.value, region: region.value }),
        _ => {
            reading.mistake(at, "a signature needs a `service` and a `region`, for both are part of it");
            None
        }
    }
}
