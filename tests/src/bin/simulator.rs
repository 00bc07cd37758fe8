//! Runs one simulated provider until it is killed, for trying things by hand and for the bench.
//!
//! `simulator <chat|messages|gemini|responses|chat-v2|converse> [key] [port]`

use anyhow::bail;
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Simulator};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map(String::as_str);
    let key = argument(1).unwrap_or("simulated");
    let named = |dialect: &Dialect| Some(dialect.name()) == argument(0);
    let Some(dialect) = Dialect::ALL.into_iter().find(named) else {
        let names = Dialect::ALL.map(Dialect::name).join("|");
        bail!("usage: simulator <{names}> [key] [port]");
    };
    let persona = Persona::new(dialect, key);
    let simulator = Simulator::start_on(persona, argument(2).unwrap_or("0").parse()?)?;
    // A long run must not fill the memory with what nobody will ask for.
    simulator.journal().only_count();
    println!("{}", simulator.url());
    loop {
        std::thread::park();
    }
}
