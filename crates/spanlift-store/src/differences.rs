//! Where two plans differ.

use serde_json::Value;

/// A line for each field in which they differ: its path, what one has, what was asked for.
#[must_use]
pub fn differences(own: &Value, asked: &Value) -> Vec<String> {
    let mut found = Vec::new();
    below("", own, asked, &mut found);
    found
}

fn below(path: &str, own: &Value, asked: &Value, found: &mut Vec<String>) {
    match (own, asked) {
        (Value::Object(own), Value::Object(asked)) => {
            let mut fields: Vec<&String> = own.keys().chain(asked.keys()).collect();
            fields.sort_unstable();
            fields.dedup();
            for field in fields {
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(field).cloned().unwrap_or_default()
                };
                let path = if path.is_empty() {
                    field.clone()
                } else {
                    format!("{path}.{field}")
                };
                below(&path, &of(own), &of(asked), found);
            }
        }
        (own, asked) if own == asked => {}
        (own, asked) => found.push(format!("{path}: it has {own}, asked for {asked}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_field_that_differs_has_a_line() {
        let own = json!({"a": 1, "b": {"c": "x", "d": [1, 2]}, "gone": true});
        let asked = json!({"a": 1, "b": {"c": "y", "d": [1]}, "new": null});
        let want = [
            r#"b.c: it has "x", asked for "y""#,
            "b.d: it has [1,2], asked for [1]",
            "gone: it has true, asked for null",
        ];
        assert_eq!(differences(&own, &asked), want);
        assert_eq!(differences(&own, &own), [""; 0]);
    }
}
