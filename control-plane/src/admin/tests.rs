use super::*;

#[test]
fn every_endpoint_has_a_name_of_its_own_and_is_described() {
    let api = api();
    let mut names: Vec<&str> = api.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    let document = description();
    for endpoint in &api.endpoints {
        assert!(document["paths"][&endpoint.path][endpoint.verb.name()].is_object(), "{}", endpoint.name);
        assert!(!endpoint.answers.is_empty(), "{}", endpoint.name);
    }
}
