//! Measures the gateway against bare Envoy and prints the README's table. Run by `cargo xtask bench`.
//!
//! `bench [--quick] [--only relay,interpret,stream-relay,stream-interpret] [--bodies 2k,100k,1m,4m] [--soak N] [--budgets] [--sessions] [--choosing]`

use dragoman_tests::bench::{Options, run};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = Options::read(&arguments)?;
    print!("{}", run(&options)?);
    Ok(())
}
