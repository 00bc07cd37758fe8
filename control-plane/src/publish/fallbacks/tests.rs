use super::*;
use crate::settings::{File, Known};

/// Two providers; `big` is who is asked, the others differ from it in one thing each.
const ROWS: &str = r#"
catalog = false
[[provider]]
id = "p"
base_url = "http://p"
[[provider]]
id = "q"
base_url = "http://q"
[[provider]]
id = "gone"
base_url = { env = "NOT_SET" }
[[model]]
name = "big"
context_window = 200000
output_limit = 10000
abilities = ["tools", "images", "caching"]
offers = ["p/big", "q/big-there"]
[[model]]
name = "twin"
context_window = 200000
output_limit = 10000
abilities = ["tools", "images"]
offers = ["q/twin"]
[[model]]
name = "wide"
context_window = 1000000
output_limit = 10000
abilities = ["tools", "images", "thinking"]
offers = ["p/wide", "q/wide"]
[[model]]
name = "narrow"
context_window = 100000
output_limit = 10000
abilities = ["tools", "images"]
offers = ["q/narrow"]
[[model]]
name = "blind"
context_window = 200000
output_limit = 10000
abilities = ["tools"]
offers = ["p/blind"]
[[model]]
name = "old"
status = "deprecated"
context_window = 200000
output_limit = 10000
abilities = ["tools", "images"]
offers = ["p/old"]
[[model]]
name = "vectors"
context_window = 200000
output_limit = 10000
abilities = ["tools", "images"]
output = ["embedding"]
offers = ["p/vectors"]
[[model]]
name = "unsaid"
offers = ["p/unsaid"]
[[model]]
name = "elsewhere"
context_window = 200000
output_limit = 10000
abilities = ["tools", "images"]
offers = ["gone/elsewhere"]
[[price]]
target = "p/*"
input = 3
output = 15
[[price]]
target = "q/*"
input = 1
output = 5
[[price]]
target = "p/wide"
input = 0.1
output = 0.5
"#;

fn ask(model: &str, strategy: Strategy, change: &str) -> Vec<Recommendation> {
    let file = File::read("f", &format!("{ROWS}{change}"), &Known::default()).unwrap();
    let catalog = Catalog::join(&file, &|_| None).unwrap();
    recommended(&catalog, &PriceBook::of(&catalog, &file), model, strategy, 0)
}

fn targets(model: &str, strategy: Strategy) -> Vec<String> {
    ask(model, strategy, "").into_iter().map(|found| found.target).collect()
}

#[test]
fn who_can_do_the_same_with_as_much_room_stands_in_the_most_similar_first() {
    assert_eq!(targets("big", Strategy::Capability), ["q/big-there", "q/twin", "q/wide", "p/wide"]);
    assert_eq!(
        targets("p/big", Strategy::Capability),
        targets("big", Strategy::Capability),
        "its first offer is meant"
    );
    assert_eq!(targets("p/blind", Strategy::Capability).len(), 5, "five are enough");
}

#[test]
fn cheap_ones_come_first_when_money_decides() {
    assert_eq!(targets("big", Strategy::Cost), ["p/wide", "q/big-there", "q/twin", "q/wide"]);
}

#[test]
fn the_same_provider_means_its_other_models_that_make_the_same() {
    assert_eq!(targets("big", Strategy::SameProvider), ["p/blind", "p/unsaid", "p/wide"]);
    assert!(targets("p/vectors", Strategy::SameProvider).is_empty());
}

#[test]
fn nobody_stands_in_for_what_nobody_described() {
    assert!(targets("unsaid", Strategy::Capability).is_empty() && targets("nobody", Strategy::Cost).is_empty());
    assert!(targets("big", Strategy::Explicit).is_empty());
}

#[test]
fn a_recommendation_says_why() {
    let found = ask("big", Strategy::Capability, "").into_iter().next().unwrap();
    assert_eq!(
        found.why,
        [
            "can do everything it can",
            "context 200000 to 200000",
            "output 10000 to 10000",
            "dollars per million tokens, 3:1, 2 to 6"
        ]
    );
    assert!((700..900).contains(&found.score), "{}", found.score);
}

#[test]
fn what_has_no_price_comes_last_or_not_at_all() {
    let unpriced = "[[provider]]\nid = \"u\"\nbase_url = \"http://u\"\n[[model]]\nname = \"free\"\ncontext_window = 200000\n\
                    abilities = [\"tools\", \"images\"]\noffers = [\"u/free\"]\n";
    let last = ask("big", Strategy::Cost, unpriced).pop().unwrap();
    assert_eq!((last.target.as_str(), last.score), ("u/free", 0));
    let refused = ask("big", Strategy::Cost, &format!("{unpriced}[pricing]\nunpriced = \"refuse\"\n"));
    assert!(refused.iter().all(|found| found.target != "u/free") && refused.len() == 4);
}
