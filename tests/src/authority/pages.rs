//! Pages for people, as plain as can be.

/// A title and a sentence.
pub fn plain(title: &str, text: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><title>{0}</title><h1>{0}</h1><p>{1}</p></html>",
        escaped(title),
        escaped(text)
    )
}

/// Two buttons; each comes back to the same path with a choice.
pub fn ask(who: &str, path: &str) -> String {
    let (who, path) = (escaped(who), escaped(path));
    format!(
        "<!doctype html><html lang=\"en\"><title>Allow?</title><h1>Allow {who}?</h1>\
         <a id=\"allow\" href=\"{path}&amp;choice=allow\">Allow</a> <a id=\"deny\" href=\"{path}&amp;choice=deny\">Deny</a></html>"
    )
}

/// A form for the code that a device shows.
pub fn code() -> String {
    "<!doctype html><html lang=\"en\"><title>Code</title><form action=\"/verify\"><input name=\"user_code\" id=\"code\">\
     <button id=\"next\">Next</button></form></html>"
        .to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
