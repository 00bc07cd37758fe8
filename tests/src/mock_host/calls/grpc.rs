//! gRPC calls and streams: noted until the control plane, or a test, answers them.

use super::{Answer, Host, NOT_FOUND, OK, Stop};
use crate::mock_host::world::{Call, World};

/// The root context to which the answers go that the current context asks for.
fn root(world: &World) -> u32 {
    let context = world.effective();
    world.contexts.get(&context).filter(|context| context.root != 0).map_or(context, |context| context.root)
}

fn method(host: &Host<'_, '_>) -> Result<String, Stop> {
    Ok(format!("{}/{}", host.text(2)?, host.text(4)?))
}

pub(super) fn call(host: &mut Host<'_, '_>) -> Answer {
    let (upstream, method, message) = (host.bytes(0)?, method(host)?, Some(host.bytes(8)?));
    let world = host.world();
    let root = root(world);
    let token = world.begin(Call { root, upstream, method, message, streams: false });
    host.write(11, &token.to_le_bytes())?;
    Ok(OK)
}

pub(super) fn stream(host: &mut Host<'_, '_>) -> Answer {
    let (upstream, method) = (host.bytes(0)?, method(host)?);
    let world = host.world();
    let root = root(world);
    let token = world.begin(Call { root, upstream, method, message: None, streams: true });
    host.write(8, &token.to_le_bytes())?;
    Ok(OK)
}

pub(super) fn send(host: &mut Host<'_, '_>) -> Answer {
    let (token, message) = (host.number(0), host.bytes(1)?);
    let Some(call) = host.world().calls.get_mut(&token) else { return Ok(NOT_FOUND) };
    call.message = Some(message);
    Ok(OK)
}

pub(super) fn half_close(host: &mut Host<'_, '_>) -> Answer {
    let token = host.number(0);
    Ok(if host.world().calls.contains_key(&token) { OK } else { NOT_FOUND })
}

pub(super) fn end(host: &mut Host<'_, '_>) -> Answer {
    let token = host.number(0);
    Ok(if host.world().calls.remove(&token).is_some() { OK } else { NOT_FOUND })
}
