//! One measured sample: what, of whom, in which case, with its figures and how noisy the machine was.
//! Touches: JSON.   Never: a median; raw stays raw.
//! Invariants: a row says everything about itself, so that rows of several runs can be put together.
//! Errors: a line that is no row.   Allocates: small texts.
//! Proved by: `tests` below.

use super::noise::Noise;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) measurement: String,
    pub(crate) who: String,
    /// What distinguishes it from other rows of the measurement: cipher, direction, count.
    pub(crate) case: BTreeMap<String, String>,
    pub(crate) round: usize,
    pub(crate) figures: BTreeMap<String, f64>,
    pub(crate) noise: Noise,
}

impl Row {
    pub(crate) fn new(measurement: &str, who: impl Into<String>) -> Self {
        Self {
            measurement: measurement.into(),
            who: who.into(),
            case: BTreeMap::new(),
            round: 0,
            figures: BTreeMap::new(),
            noise: Noise::default(),
        }
    }

    #[must_use]
    pub(crate) fn case(mut self, name: &str, value: impl ToString) -> Self {
        self.case.insert(name.into(), value.to_string());
        self
    }

    #[must_use]
    pub(crate) fn figure(mut self, name: &str, value: f64) -> Self {
        self.figures.insert(name.into(), value);
        self
    }

    pub(crate) fn to_json(&self) -> Value {
        let Noise { load, foreign, steal, spin } = self.noise;
        json!({
            "measurement": self.measurement,
            "who": self.who,
            "case": self.case,
            "round": self.round,
            "figures": self.figures,
            "noise": {"load": load, "foreign": foreign, "steal": steal, "spin": spin},
            "set_aside": self.noise.is_loud(),
        })
    }

    /// `None` where the line is not a row.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let noise = |name: &str| value["noise"][name].as_f64();
        Some(Self {
            measurement: value["measurement"].as_str()?.into(),
            who: value["who"].as_str()?.into(),
            case: map(&value["case"], |value| value.as_str().map(String::from))?,
            round: value["round"].as_u64()? as usize,
            figures: map(&value["figures"], Value::as_f64)?,
            noise: Noise {
                load: noise("load")?,
                foreign: noise("foreign")?,
                steal: noise("steal")?,
                spin: noise("spin")?,
            },
        })
    }

    /// `aes128-gcm, up`, in the order of the names.
    pub(crate) fn case_name(&self) -> String {
        self.case.values().cloned().collect::<Vec<_>>().join(", ")
    }
}

/// All of an object's values, if each is what it should be.
fn map<T>(object: &Value, of: impl Fn(&Value) -> Option<T>) -> Option<BTreeMap<String, T>> {
    let values = object.as_object()?.iter();
    values.map(|(name, value)| Some((name.clone(), of(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was_written() {
        let mut row = Row::new("bulk", "adit → aditd").case("way", "up").case("cipher", "x");
        row = row.figure("mib_per_second", 812.5).figure("client_user", 0.25);
        row.round = 3;
        row.noise = Noise { load: 0.5, foreign: 0.01, steal: 0.0, spin: 1.0 };
        let line = row.to_json().to_string();
        assert_eq!(Row::from_json(&serde_json::from_str(&line).unwrap()), Some(row.clone()));
        assert_eq!(row.case_name(), "x, up");
    }

    #[test]
    fn what_is_no_row_is_none() {
        assert_eq!(Row::from_json(&json!({"about": "machine"})), None);
    }
}
