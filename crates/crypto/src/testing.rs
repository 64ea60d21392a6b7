//! What tests of several modules share: hexadecimal text, vector files, a generator without surprises.
//! Touches: test data.   Never: products.
//! Invariants: a vector file that cannot be read fails the test.
//! Errors: panics.   Allocates: freely.
//! Proved by: the tests that use it.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Random;

/// Bytes of a hexadecimal text.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd number of digits");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Cases of a vector file: blocks of `name = value` lines with an empty line between them, `#` comments.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    let blocks = text.split("\n\n").map(|block| {
        let lines = block.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        Case(
            lines
                .map(|line| line.split_once('=').expect("name = value"))
                .map(|(n, v)| (n.trim().to_string(), v.trim().to_string()))
                .collect(),
        )
    });
    blocks.filter(|case| !case.0.is_empty()).collect()
}

/// The cases about keys of types that were built in.
pub(crate) fn built_in(text: &str) -> Vec<Case> {
    let about_nist = |case: &Case| {
        ["name", "subject", "authority"].iter().any(|field| {
            case.0.get(*field).is_some_and(|text| text.contains("nistp") || text.contains("ecdsa"))
        })
    };
    cases(text).into_iter().filter(|case| cfg!(feature = "nist") || !about_nist(case)).collect()
}

/// One case of a vector file.
#[derive(Debug)]
pub(crate) struct Case(BTreeMap<String, String>);

impl Case {
    /// The text of a field.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no field {name} in {self:?}"))
    }

    /// The bytes of a field that not every case has.
    pub(crate) fn optional(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name).map(|text| hex(text))
    }

    /// The bytes of a field.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        hex(self.text(name))
    }
}

/// Gives out recorded bytes and no more.
pub(crate) struct Replay(pub(crate) Vec<u8>);

impl Random for Replay {
    fn fill(&mut self, out: &mut [u8]) {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
    }
}
