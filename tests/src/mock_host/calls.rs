//! The host's calls of proxy-wasm ABI 0.2.1, as Envoy answers them.

mod grpc;

use wasmi::{Caller, Extern, Memory, Val};

use super::world::{self, Act, Header, World};

/// The statuses that a host may give, one that no ABI knows among them.
pub const STATUSES: [u32; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 4_000_000_000];

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const INVALID_MEMORY: u32 = 6;

/// What the arguments of a call are asked for: `Err` ends the call with a status.
type Answer = Result<u32, Stop>;

/// Why a call stops short.
#[derive(Debug)]
pub enum Stop {
    /// With this status.
    Status(u32),
    /// With the trap of the module, called back.
    Trap(wasmi::Error),
}

/// A host call.
pub type HostCall = fn(&mut Host<'_, '_>) -> Answer;

/// A host call by its name; none when there is no such call.
pub fn named(name: &str) -> Option<HostCall> {
    Some(match name {
        "proxy_log" => log,
        "proxy_get_current_time_nanoseconds" => time,
        "proxy_set_tick_period_milliseconds" => tick,
        "proxy_set_effective_context" => effective,
        "proxy_get_property" => property,
        "proxy_get_buffer_bytes" => buffer,
        "proxy_set_buffer_bytes" => set_buffer,
        "proxy_get_header_map_pairs" => pairs,
        "proxy_set_header_map_pairs" => set_pairs,
        "proxy_get_header_map_value" => value,
        "proxy_replace_header_map_value" => set_value,
        "proxy_remove_header_map_value" => remove_value,
        "proxy_continue_stream" => resume,
        "proxy_close_stream" => close,
        "proxy_send_local_response" => reply,
        "proxy_grpc_call" => grpc::call,
        "proxy_grpc_stream" => grpc::stream,
        "proxy_grpc_send" => grpc::send,
        "proxy_grpc_cancel" => grpc::end,
        "proxy_grpc_close" => grpc::half_close,
        "proxy_call_foreign_function" => foreign,
        "proxy_define_metric" => define,
        "proxy_increment_metric" => increment,
        "proxy_record_metric" => record,
        "random_get" => random,
        _ => return None,
    })
}

/// Runs a host call, or what mischief puts in its place; gives the status.
///
/// # Errors
/// When the module traps while it is called back.
pub fn run(caller: &mut Caller<'_, World>, call: HostCall, arguments: &[Val]) -> Result<u32, wasmi::Error> {
    match caller.data_mut().mischief.0.pop().unwrap_or(Act::Obey) {
        Act::Obey => {}
        Act::Fail(status) => return Ok(status),
        Act::Lie(bytes) => caller.data_mut().lie = Some(bytes),
        Act::CallBack(name, arguments) => {
            if let Some(Extern::Func(function)) = caller.get_export(&name) {
                super::call(&mut *caller, function, &arguments)?;
            }
        }
    }
    let answer = call(&mut Host { caller, arguments });
    caller.data_mut().lie = None;
    match answer {
        Ok(status) | Err(Stop::Status(status)) => Ok(status),
        Err(Stop::Trap(error)) => Err(error),
    }
}

/// One call under way.
pub struct Host<'c, 'w> {
    caller: &'c mut Caller<'w, World>,
    arguments: &'c [Val],
}

impl Host<'_, '_> {
    fn world(&mut self) -> &mut World {
        self.caller.data_mut()
    }

    fn number(&self, place: usize) -> u32 {
        self.arguments.get(place).and_then(Val::i32).unwrap_or_default().cast_unsigned()
    }

    fn memory(&self) -> Result<Memory, Stop> {
        match self.caller.get_export("memory") {
            Some(Extern::Memory(memory)) => Ok(memory),
            _ => Err(Stop::Status(INVALID_MEMORY)),
        }
    }

    /// The bytes whose address and size stand at `place`.
    fn bytes(&self, place: usize) -> Result<Vec<u8>, Stop> {
        let (start, size) = (self.number(place) as usize, self.number(place + 1) as usize);
        let memory = self.memory()?;
        let bytes = memory.data(&*self.caller).get(start..).and_then(|rest| rest.get(..size));
        bytes.map(<[u8]>::to_vec).ok_or(Stop::Status(INVALID_MEMORY))
    }

    fn text(&self, place: usize) -> Result<String, Stop> {
        Ok(String::from_utf8_lossy(&self.bytes(place)?).into_owned())
    }

    /// Writes to the address that stands at `place`.
    fn write(&mut self, place: usize, bytes: &[u8]) -> Result<(), Stop> {
        let start = self.number(place) as usize;
        let memory = self.memory()?;
        memory.write(&mut *self.caller, start, bytes).map_err(|_| Stop::Status(INVALID_MEMORY))
    }

    /// Hands bytes over in memory of the module's; the addresses for address and size stand at `place`.
    fn give(&mut self, place: usize, bytes: &[u8]) -> Answer {
        let lie = self.world().lie.take();
        let bytes = lie.as_deref().unwrap_or(bytes);
        let Some(Extern::Func(allocate)) = self.caller.get_export("proxy_on_memory_allocate") else {
            return Err(Stop::Status(INVALID_MEMORY));
        };
        let size = u32::try_from(bytes.len()).map_err(|_| Stop::Status(INVALID_MEMORY))?;
        let mut results = [Val::I32(0)];
        // Envoy allocates nothing for nothing.
        if size > 0 {
            allocate.call(&mut *self.caller, &[Val::I32(size.cast_signed())], &mut results).map_err(Stop::Trap)?;
        }
        let start = results[0].i32().unwrap_or_default().cast_unsigned();
        if start == 0 && size > 0 {
            return Err(Stop::Status(INVALID_MEMORY));
        }
        let memory = self.memory()?;
        memory.write(&mut *self.caller, start as usize, bytes).map_err(|_| Stop::Status(INVALID_MEMORY))?;
        self.write(place, &start.to_le_bytes())?;
        self.write(place + 1, &size.to_le_bytes())?;
        Ok(OK)
    }

    /// The header map whose number stands first.
    fn map(&mut self) -> Option<&mut Vec<Header>> {
        let kind = self.number(0);
        let context = self.world().context()?;
        match kind {
            0 => context.request.head.as_mut(),
            1 => context.request.trailers.as_mut(),
            2 => context.response.head.as_mut(),
            3 => context.response.trailers.as_mut(),
            _ => None,
        }
    }

    /// The body whose number stands first.
    fn body(&mut self) -> Option<&mut Vec<u8>> {
        let kind = self.number(0);
        let context = self.world().context()?;
        match kind {
            0 => context.request.body.as_mut(),
            1 => context.response.body.as_mut(),
            _ => None,
        }
    }
}

fn log(host: &mut Host<'_, '_>) -> Answer {
    let line = (host.number(0), host.text(1)?);
    host.world().logs.push(line);
    Ok(OK)
}

fn time(host: &mut Host<'_, '_>) -> Answer {
    let now = host.world().now_ns;
    host.write(0, &now.to_le_bytes())?;
    Ok(OK)
}

fn random(host: &mut Host<'_, '_>) -> Answer {
    let bytes = vec![host.world().random; host.number(1) as usize];
    host.write(0, &bytes)?;
    Ok(OK)
}

fn tick(host: &mut Host<'_, '_>) -> Answer {
    let period = host.number(0);
    let Some(context) = host.world().context().filter(|context| context.root == 0) else { return Ok(BAD_ARGUMENT) };
    context.tick_ms = period;
    Ok(OK)
}

fn effective(host: &mut Host<'_, '_>) -> Answer {
    let context = host.number(0);
    Ok(if host.world().speak_for(context) { OK } else { BAD_ARGUMENT })
}

fn property(host: &mut Host<'_, '_>) -> Answer {
    let path = host.bytes(0)?;
    let cluster = host.world().context().and_then(|context| context.cluster.clone());
    match cluster {
        Some(cluster) if path == b"xds\0cluster_name" => host.give(2, &cluster),
        _ => Ok(NOT_FOUND),
    }
}

fn buffer(host: &mut Host<'_, '_>) -> Answer {
    let (kind, start, most) = (host.number(0), host.number(1) as usize, host.number(2) as usize);
    let world = host.world();
    let bytes = match kind {
        0 | 1 => host.body().cloned(),
        5 => world.message.clone(),
        6 => Some(world.configuration.clone()),
        7 => world.context().map(|context| context.configuration.clone()),
        _ => None,
    };
    let Some(bytes) = bytes else { return Ok(NOT_FOUND) };
    let rest = bytes.get(start..).unwrap_or_default();
    let part = rest.get(..most.min(rest.len())).unwrap_or_default().to_vec();
    host.give(3, &part)
}

fn set_buffer(host: &mut Host<'_, '_>) -> Answer {
    let (start, size) = (host.number(1) as usize, host.number(2) as usize);
    let bytes = host.bytes(3)?;
    let Some(body) = host.body() else { return Ok(NOT_FOUND) };
    match (start, size) {
        (0, 0) => drop(body.splice(0..0, bytes)),
        (0, size) if size >= body.len() => *body = bytes,
        (start, _) if start >= body.len() => body.extend(bytes),
        _ => return Ok(BAD_ARGUMENT),
    }
    Ok(OK)
}

fn pairs(host: &mut Host<'_, '_>) -> Answer {
    let list = host.map().cloned().unwrap_or_default();
    let mut out = (list.len() as u32).to_le_bytes().to_vec();
    for (name, value) in &list {
        out.extend((name.len() as u32).to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
    }
    for text in list.iter().flat_map(|(name, value)| [name, value]) {
        out.extend(text);
        out.push(0);
    }
    host.give(1, &out)
}

fn set_pairs(host: &mut Host<'_, '_>) -> Answer {
    let list = host.bytes(1)?;
    let Some(list) = read_pairs(&list) else { return Ok(BAD_ARGUMENT) };
    let Some(map) = host.map() else { return Ok(BAD_ARGUMENT) };
    *map = list;
    Ok(OK)
}

fn read_pairs(bytes: &[u8]) -> Option<Vec<Header>> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let count = number(0)?;
    let mut at = 4 + count * 8;
    let mut text = |size: usize| {
        let text = bytes.get(at..at + size)?.to_vec();
        at += size + 1;
        Some(text)
    };
    (0..count).map(|entry| Some((text(number(4 + entry * 8)?)?, text(number(8 + entry * 8)?)?))).collect()
}

fn value(host: &mut Host<'_, '_>) -> Answer {
    let name = host.text(1)?;
    let Some(map) = host.map() else { return Ok(BAD_ARGUMENT) };
    match world::get(map, &name).map(<[u8]>::to_vec) {
        Some(value) => host.give(3, &value),
        None => Ok(NOT_FOUND),
    }
}

fn set_value(host: &mut Host<'_, '_>) -> Answer {
    let (name, value) = (host.bytes(1)?, host.bytes(3)?);
    let Some(map) = host.map() else { return Ok(BAD_ARGUMENT) };
    world::set(map, &name, &value);
    Ok(OK)
}

fn remove_value(host: &mut Host<'_, '_>) -> Answer {
    let name = host.bytes(1)?;
    let Some(map) = host.map() else { return Ok(BAD_ARGUMENT) };
    world::remove(map, &name);
    Ok(OK)
}

fn resume(host: &mut Host<'_, '_>) -> Answer {
    let direction = host.number(0);
    let Some(context) = host.world().context().filter(|context| context.root != 0) else { return Ok(BAD_ARGUMENT) };
    match direction {
        0 => context.request.resumed = true,
        1 => context.response.resumed = true,
        _ => return Ok(BAD_ARGUMENT),
    }
    Ok(OK)
}

fn close(host: &mut Host<'_, '_>) -> Answer {
    let direction = host.number(0);
    let Some(context) = host.world().context().filter(|context| context.root != 0) else { return Ok(BAD_ARGUMENT) };
    match direction {
        0 => context.request.closed = true,
        1 => context.response.closed = true,
        _ => return Ok(BAD_ARGUMENT),
    }
    Ok(OK)
}

fn reply(host: &mut Host<'_, '_>) -> Answer {
    let (status, body) = (host.number(0), host.bytes(3)?);
    let Some(headers) = read_pairs(&host.bytes(5)?) else { return Ok(BAD_ARGUMENT) };
    let Some(context) = host.world().context().filter(|context| context.root != 0) else { return Ok(BAD_ARGUMENT) };
    context.reply.get_or_insert((status, headers, body));
    Ok(OK)
}

fn foreign(host: &mut Host<'_, '_>) -> Answer {
    let name = host.text(0)?;
    let Some(context) = host.world().context() else { return Ok(NOT_FOUND) };
    if name != "clear_route_cache" {
        return Ok(NOT_FOUND);
    }
    context.routed += 1;
    host.give(4, &[])
}

/// A metric's number says in its last two bits what it is: 0 for a counter, 2 for a histogram.
fn define(host: &mut Host<'_, '_>) -> Answer {
    let (kind, name) = (host.number(0), host.text(1)?);
    let world = host.world();
    let place = match kind {
        0 => place(&mut world.counters, name),
        2 => place(&mut world.histograms, name),
        _ => return Ok(BAD_ARGUMENT),
    };
    host.write(3, &((place as u32) << 2 | kind).to_le_bytes())?;
    Ok(OK)
}

/// Where that name stands, from now on at the latest.
fn place<V: Default>(metrics: &mut Vec<(String, V)>, name: String) -> usize {
    metrics.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
        metrics.push((name, V::default()));
        metrics.len() - 1
    })
}

fn increment(host: &mut Host<'_, '_>) -> Answer {
    let by = host.arguments.get(1).and_then(Val::i64).unwrap_or_default();
    let id = host.number(0);
    if id & 3 != 0 || by <= 0 {
        return Ok(BAD_ARGUMENT);
    }
    let Some((_, value)) = host.world().counters.get_mut(id as usize >> 2) else { return Ok(NOT_FOUND) };
    *value = value.saturating_add(by);
    Ok(OK)
}

fn record(host: &mut Host<'_, '_>) -> Answer {
    let value = host.arguments.get(1).and_then(Val::i64).unwrap_or_default().cast_unsigned();
    let id = host.number(0);
    if id & 3 != 2 {
        return Ok(BAD_ARGUMENT);
    }
    let Some((_, values)) = host.world().histograms.get_mut(id as usize >> 2) else { return Ok(NOT_FOUND) };
    values.push(value);
    Ok(OK)
}
