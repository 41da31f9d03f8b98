//! What a checkpoint has beside its weights: the base's config, which says what it is now, and its tokenizer.

use serde_json::Value;
use spanlift::checkpoint::Precision;
use spanlift::model::Family;

use crate::TrainError;

const CONFIG: &str = "config.json";

/// The base's files with a config that names the class with a question-answering head, and how its numbers are written.
///
/// # Errors
///
/// [`TrainError::State`] where `config.json` is no JSON object.
pub fn for_answering(
    files: Vec<(String, Vec<u8>)>,
    family: Family,
    precision: Precision,
) -> Result<Vec<(String, Vec<u8>)>, TrainError> {
    let of = |(name, bytes): (String, Vec<u8>)| {
        if name != CONFIG {
            return Ok((name, bytes));
        }
        let wrong = |reason: String| TrainError::State {
            path: CONFIG.into(),
            reason,
        };
        let mut config: Value =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let Some(fields) = config.as_object_mut() else {
            return Err(wrong("expected an object".to_owned()));
        };
        let class = match family {
            Family::Bert => "Bert",
            Family::Roberta => "Roberta",
            Family::XlmRoberta => "XLMRoberta",
            Family::DistilBert => "DistilBert",
            Family::Electra => "Electra",
            Family::MobileBert => "MobileBert",
            Family::DebertaV2 => "DebertaV2",
        };
        let class = format!("{class}ForQuestionAnswering");
        fields.insert("architectures".to_owned(), vec![class].into());
        let dtype = match precision {
            Precision::F32 => "float32",
            Precision::F16 => "float16",
        };
        for field in ["torch_dtype", "dtype"] {
            if let Some(value) = fields.get_mut(field) {
                *value = dtype.into();
            }
        }
        let mut bytes = serde_json::to_vec_pretty(&config).map_err(|e| wrong(e.to_string()))?;
        bytes.push(b'\n');
        Ok((name, bytes))
    };
    files.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_says_what_the_checkpoint_is() {
        let config =
            br#"{"architectures": ["BertModel"], "hidden_size": 16, "torch_dtype": "float16"}"#;
        let files = vec![
            (CONFIG.to_owned(), config.to_vec()),
            ("vocab.txt".to_owned(), b"a\n".to_vec()),
        ];
        let files = for_answering(files, Family::Bert, Precision::F32).unwrap();
        let config: Value = serde_json::from_slice(&files[0].1).unwrap();
        assert_eq!(config["architectures"][0], "BertForQuestionAnswering");
        assert_eq!(config["torch_dtype"], "float32");
        assert_eq!(
            (&config["hidden_size"], config.get("dtype")),
            (&16.into(), None)
        );
        assert_eq!(files[1].1, b"a\n");
        for bad in ["[", "3"] {
            let files = vec![(CONFIG.to_owned(), bad.as_bytes().to_vec())];
            assert!(for_answering(files, Family::Bert, Precision::F32).is_err());
        }
    }
}
