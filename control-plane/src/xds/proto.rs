//! From the JSON of Envoy's documentation to protobuf, by Envoy's own descriptors.

use std::sync::LazyLock;

use anyhow::Context;
use envoy_types::pb::google::protobuf::Any;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;

use prost::Message;

/// Compiled from the `.proto` files of `envoy-types` by `build.rs`.
static DESCRIPTORS: LazyLock<Result<DescriptorPool, prost_reflect::DescriptorError>> =
    LazyLock::new(|| DescriptorPool::decode(include_bytes!(concat!(env!("OUT_DIR"), "/envoy.binpb")).as_slice()));

/// A message of `kind` (`envoy.config.cluster.v3.Cluster`), packed. An unknown member or a wrong type is an error.
pub(super) fn pack(kind: &str, message: &Value) -> anyhow::Result<Any> {
    let pool = DESCRIPTORS.as_ref().map_err(|error| anyhow::anyhow!("Envoy's descriptors: {error}"))?;
    let descriptor = pool.get_message_by_name(kind).with_context(|| format!("there is no message {kind}"))?;
    let message =
        DynamicMessage::deserialize(descriptor, message).with_context(|| format!("{kind} is not well written"))?;
    Ok(Any { type_url: format!("type.googleapis.com/{kind}"), value: message.encode_to_vec() })
}
