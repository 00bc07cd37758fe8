//! A proxy-wasm host without Envoy: runs the module as it is shipped, in an interpreter, with a clock and a chance that stand
//! still.
//!
//! ```text
//! test ──▶ envoy ──▶ Vm ──▶ the module ──▶ calls ──▶ world
//!            │                                         ▲
//!            └──────── control plane, pipes ───────────┘
//! ```
//!
//! Why so: what the module does must follow from its inputs alone, so that it can be compared to the byte with the same code
//! run natively; and a host may be worse than Envoy ever is: see [`Mischief`].
//!
//! Limits: what Envoy 1.40 does is written down here a second time, and only as far as the module needs it. That Envoy really
//! does so is for the tests with the real one.

pub mod calls;
pub mod control_plane;
pub mod envoy;
pub mod pipe;
pub mod world;

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use wasmi::{Caller, CompilationMode, Config, Engine, ExternType, Func, Instance, Linker, Module, Store, Val};

pub use control_plane::ControlPlane;
pub use envoy::{Answer, Ends, Envoy, Pace, Request, Sent, Served};
pub use world::{Act, Context, Header, Mischief, Side, World};

/// The module, compiled once for any number of VMs.
pub struct Code {
    engine: Engine,
    module: Module,
}

impl Code {
    /// Reads the module of that file.
    ///
    /// # Errors
    /// When there is none, or it is not wasm with the features that the build asks for.
    pub fn read(path: &Path) -> Result<Code> {
        let bytes = std::fs::read(path)
            .with_context(|| format!("{} is missing: `cargo xtask wasm` builds it", path.display()))?;
        let mut config = Config::default();
        // Most functions of the module are never called by a single test.
        config.compilation_mode(CompilationMode::Lazy);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, &bytes).map_err(|error| anyhow!("{}: {error}", path.display()))?;
        Ok(Code { engine, module })
    }

    /// The names of what the host may call, memory management aside.
    pub fn callbacks(&self) -> Vec<(String, usize)> {
        let callback = |export: wasmi::ExportType<'_>| match export.ty() {
            ExternType::Func(kind) if export.name().starts_with("proxy_on_") => {
                Some((export.name().to_owned(), kind.params().len()))
            }
            _ => None,
        };
        self.module.exports().filter_map(callback).filter(|(name, _)| name != "proxy_on_memory_allocate").collect()
    }
}

/// One running module.
pub struct Vm {
    store: Store<World>,
    instance: Instance,
}

impl Vm {
    /// Loads the module; nothing is called yet.
    ///
    /// # Errors
    /// When the module wants a host call that is not written down here.
    pub fn load(code: &Code) -> Result<Vm> {
        let mut linker = Linker::<World>::new(&code.engine);
        for import in code.module.imports() {
            let ExternType::Func(kind) = import.ty() else { bail!("{} is no function", import.name()) };
            let Some(call) = calls::named(import.name()) else { bail!("no such host call: {}", import.name()) };
            let run = move |mut caller: Caller<'_, World>, arguments: &[Val], results: &mut [Val]| {
                let status = calls::run(&mut caller, call, arguments)?;
                if let [result] = results {
                    *result = Val::I32(status.cast_signed());
                }
                Ok(())
            };
            linker
                .func_new(import.module(), import.name(), kind.clone(), run)
                .map_err(|error| anyhow!("{}: {error}", import.name()))?;
        }
        let mut store = Store::new(&code.engine, World::default());
        let instance =
            linker.instantiate_and_start(&mut store, &code.module).map_err(|error| anyhow!("cannot start: {error}"))?;
        Ok(Vm { store, instance })
    }

    /// What the host knows.
    pub fn world(&mut self) -> &mut World {
        self.store.data_mut()
    }

    /// How much memory the module has, in bytes.
    pub fn memory(&self) -> u64 {
        let memory = self.instance.get_memory(&self.store, "memory");
        memory.map_or(0, |memory| memory.data_size(&self.store) as u64)
    }

    /// Calls an export; 0 when it gives nothing back. The first argument names the context that is called.
    ///
    /// # Errors
    /// When the module traps, or has no such export.
    pub fn call(&mut self, name: &str, arguments: &[u32]) -> Result<u32> {
        let function = self.instance.get_func(&self.store, name).with_context(|| format!("no export {name}"))?;
        call(&mut self.store, function, arguments).map_err(|error| anyhow!("{name}{arguments:?} trapped: {error}"))
    }
}

/// Calls `function` for the context that its first argument names.
fn call(
    mut store: impl wasmi::AsContextMut<Data = World>,
    function: Func,
    arguments: &[u32],
) -> Result<u32, wasmi::Error> {
    let kind = function.ty(&store);
    let mut given: Vec<Val> = arguments.iter().map(|argument| Val::I32(argument.cast_signed())).collect();
    // Who calls with too few or too many arguments means zeros and no more.
    given.resize(kind.params().len(), Val::I32(0));
    let mut results = vec![Val::I32(0); kind.results().len()];
    let before = store.as_context_mut().data_mut().enter(arguments.first().copied().unwrap_or_default());
    let outcome = function.call(&mut store, &given, &mut results);
    store.as_context_mut().data_mut().leave(before);
    outcome?;
    Ok(results.first().and_then(Val::i32).unwrap_or_default().cast_unsigned())
}
