//! `*.index.json`: which file holds which tensor.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use super::super::json::{Fields, describe, not_json};
use super::Problem;

/// The tensors that each file must hold, by the file's name.
pub(super) type Shards = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
struct Index {
    weight_map: Pairs,
}

/// A JSON object as it stands: a name may come twice.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object from the names of tensors to names of files")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The files that may be opened; what is wrong with the others, or with the whole, goes to `problems`.
pub(super) fn read(file: &'static str, bytes: &[u8], problems: &mut Vec<Problem>) -> Shards {
    let Some(fields) = Fields::parse(file, bytes, problems) else {
        return Shards::new();
    };
    let expected = "an object from the names of tensors to the names of files";
    let map = fields.get("weight_map").and_then(Value::as_object);
    let Some(map) = map else {
        problems.push(fields.wrong("weight_map", expected));
        return Shards::new();
    };
    if let Some((tensor, value)) = map.iter().find(|(_, value)| !value.is_string()) {
        problems.push(Problem::Field {
            file,
            field: "weight_map",
            expected: expected.to_owned(),
            got: format!("{} for `{tensor}`", describe(value)),
        });
        return Shards::new();
    }
    let Pairs(pairs) = match serde_json::from_slice::<Index>(bytes) {
        Ok(index) => index.weight_map,
        Err(error) => {
            problems.push(not_json(file, &error));
            return Shards::new();
        }
    };
    let index = file;
    let mut places = BTreeMap::<&str, &str>::new();
    let mut shards = Shards::new();
    for (tensor, shard) in &pairs {
        match places.insert(tensor, shard) {
            Some(first) if first == shard => continue,
            Some(first) => problems.push(Problem::InTwoShards {
                index,
                tensor: tensor.clone(),
                first: first.to_owned(),
                second: shard.clone(),
            }),
            None => {}
        }
        shards
            .entry(shard.clone())
            .or_default()
            .push(tensor.clone());
    }
    shards.retain(|shard, _| {
        let inside = is_inside(shard);
        if !inside {
            let shard = shard.clone();
            problems.push(Problem::ShardName { index, shard });
        }
        inside
    });
    shards
}

/// Whether it is the name of a file of the index's own folder on every system: no folder, no drive, no stream.
fn is_inside(name: &str) -> bool {
    let leads_out = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    !name.is_empty() && name != "." && name != ".." && !name.contains(leads_out)
}
