//! Runs one simulated provider until it is killed, for trying things by hand and for the bench.
//!
//! `simulator <chat|messages|gemini> [key] [port]`

use anyhow::bail;
use dragoman_tests::simulator::{Persona, Simulator};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map(String::as_str);
    let key = argument(1).unwrap_or("simulated");
    let persona = match argument(0) {
        Some("chat") => Persona::chat(key),
        Some("messages") => Persona::messages(key),
        Some("gemini") => Persona::gemini(key),
        _ => bail!("usage: simulator <chat|messages|gemini> [key] [port]"),
    };
    let simulator = Simulator::start_on(persona, argument(2).unwrap_or("0").parse()?)?;
    // A long run must not fill the memory with what nobody will ask for.
    simulator.journal().only_count();
    println!("{}", simulator.url());
    loop {
        std::thread::park();
    }
}
