use super::super::{File, Known};
use dragoman_core::price::MAX_RATE;

use super::*;

fn read(text: &str) -> Result<File, super::super::Mistakes> {
    let known =
        Known { providers: ["a".to_string(), "b".into()].into(), models: ["m".to_string()].into(), ..Known::default() };
    File::read("f", text, &known)
}

fn mistakes(text: &str) -> Vec<String> {
    match read(text) {
        Ok(file) => panic!("read without mistakes: {:?}", file.prices),
        Err(mistakes) => mistakes.list.iter().map(ToString::to_string).collect(),
    }
}

fn places(text: &str) -> Vec<String> {
    mistakes(text).iter().map(|mistake| mistake.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect()
}

#[test]
fn an_amount_is_read_digit_by_digit() {
    for (text, micro) in [
        ("0", Some(0)),
        ("0.075", Some(75_000)),
        ("0.000001", Some(1)),
        ("3", Some(3_000_000)),
        ("3.0", Some(3_000_000)),
        ("1.1", Some(1_100_000)),
        ("1000000", Some(MAX_RATE)),
        ("1000000.000001", None),
        ("0.0000001", None),
        ("-1", None),
        ("+1", None),
        (".5", None),
        ("5.", None),
        ("1e3", None),
        ("1_000", None),
        ("", None),
        ("99999999999999999999", None),
        ("1.5 ", None),
    ] {
        assert_eq!(micro_dollars(text), micro, "{text}");
    }
}

#[test]
fn a_day_begins_at_midnight() {
    for (text, milliseconds) in [
        ("1970-01-01", Some(0)),
        ("1970-03-01", Some(59 * 86_400_000)),
        ("2000-02-29", Some(951_782_400_000)),
        ("2024-02-29", Some(1_709_164_800_000)),
        ("2026-01-01", Some(1_767_225_600_000)),
        ("2026-11-27", Some(1_795_737_600_000)),
        ("2026-02-29", None),
        ("2100-02-29", None),
        ("2026-13-01", None),
        ("2026-00-01", None),
        ("2026-01-00", None),
        ("2026-1-1", None),
        ("1969-12-31", None),
        ("2026-01-01T00:00:00", None),
        ("2026-01-01-01", None),
    ] {
        assert_eq!(beginning(text), milliseconds, "{text}");
    }
}

#[test]
fn a_price_is_read_with_its_tiers_and_its_days() {
    let file = read(
        r#"
[[price]]
target = "a/x"
until = 2026-01-01
input = 1
output = "2.5"
[[price]]
target = "a/x"
from = "2026-01-01"
input = 1.25
output = 10
cache_read = 0.125
cache_write = 1.5
cache_write_1h = 2
reasoning = 11
audio_input = 3
audio_output = 4
image = "0.04"
request = 0.005
tiers = [{ above = 200000, input = 2.5, cache_read = 0.25 }, { above = 500000, output = 15 }]
[pricing]
unpriced = "refuse"
ceiling = { input = 10, output = "20" }
"#,
    )
    .unwrap();
    let [first, second] = &file.prices[..] else { panic!() };
    assert_eq!((first.price.rates.input, first.price.rates.output), (1_000_000, 2_500_000));
    assert_eq!((first.price.until_ms, second.price.from_ms), (Some(1_767_225_600_000), Some(1_767_225_600_000)));
    let rates = Rates {
        input: 1_250_000,
        output: 10_000_000,
        cache_read: Some(125_000),
        cache_write: Some(1_500_000),
        cache_write_1h: Some(2_000_000),
        reasoning: Some(11_000_000),
        audio_input: Some(3_000_000),
        audio_output: Some(4_000_000),
        image: Some(40_000),
        request: Some(5_000),
    };
    assert_eq!(second.price.rates, rates);
    let long = Rates { input: 2_500_000, cache_read: Some(250_000), ..rates };
    let longer = Rates { output: 15_000_000, ..rates };
    assert_eq!(
        second.price.tiers,
        [Tier { above: 200_000, rates: long }, Tier { above: 500_000, rates: longer }],
        "a tier changes what it names"
    );
    let ceiling = Rates { input: 10_000_000, output: 20_000_000, ..Rates::default() };
    assert_eq!(file.pricing, Pricing { unpriced: Unpriced::Refuse, ceiling: Some(ceiling) });
}

#[test]
fn every_mistake_in_a_price_is_reported_with_its_place() {
    let found = mistakes(
        r#"
[[price]]
input = -1
output = 0.0000001
until = "soon"
weight = 3
[[price]]
target = "nobody/x"
from = "2026-02-01"
until = "2026-02-01"
input = "free"
tiers = [{ above = 2, input = 1 }, { above = 2 }, { input = true }]
[pricing]
unpriced = "guess"
ceiling = { input = 0 }
"#,
    );
    let places: Vec<String> =
        found.iter().map(|mistake| mistake.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(
        places,
        [
            "2:1", "3:9", "4:10", "5:9", "6:1", "7:1", "8:10", "10:9", "11:9", "12:36", "12:51", "12:61", "14:12",
            "15:11"
        ],
        "{found:#?}"
    );
}

#[test]
fn prices_of_one_target_do_not_overlap() {
    let rows = |first: &str, second: &str, other: &str| {
        format!(
            "[[price]]\ntarget = \"a/x\"\ninput = 1\noutput = 1\n{first}\n[[price]]\ntarget = \"{other}\"\ninput = 1\noutput = 1\n{second}\n"
        )
    };
    assert_eq!(places(&rows("", "", "a/x")), ["7:10"]);
    assert_eq!(places(&rows("until = \"2026-01-02\"", "from = \"2026-01-01\"", "a/x")), ["7:10"]);
    assert!(read(&rows("until = \"2026-01-01\"", "from = \"2026-01-01\"", "a/x")).is_ok());
    assert!(read(&rows("", "", "a/*")).is_ok() && read(&rows("", "", "m")).is_ok());
}

#[test]
fn free_is_said_and_not_left_out() {
    assert_eq!(places("[[price]]\ntarget = \"a/x\"\ninput = 1\n"), ["1:1"]);
    assert!(read("[[price]]\ntarget = \"a/x\"\ninput = 0\noutput = 0\n").is_ok());
}
