//! The table of limits in docs/SECURITY.md, held against the code.
//! Touches: the sources.   Never: what a limit is worth.
//! Invariants: a constant that a row names is where it says; so is a test.
//! Errors: the row.   Allocates: all sources.
//! Proved by: itself.

use crate::cargo::root;
use std::fs;
use std::path::Path;

/// The rows under the heading, each as its cells.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let table = page.lines().skip_while(|line| *line != "## Limits").skip(1);
    let table = table.take_while(|line| !line.starts_with("## "));
    let rows = table.filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands in backticks at the beginning.
fn quoted(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.split('`').next()
}

/// The text of every source file below a folder.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_limit_is_where_the_page_says_and_has_the_test_it_names() {
    let page = fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let mut code = String::new();
    for folder in ["crates", "interop-tests"] {
        sources(&root().join(folder), &mut code);
    }
    let rows = rows(&page);
    assert!(rows.len() > 40, "{}", rows.len());
    for row in rows {
        let [what, _, place, test] = row[..] else { panic!("{row:?}") };
        if let (Some(constant), Some((_, file))) = (quoted(place), place.split_once("` in ")) {
            let text = fs::read_to_string(root().join(file)).unwrap_or_default();
            assert!(text.contains(&format!("const {constant}:")), "{what}: {constant} in {file}");
        }
        let test = quoted(test).unwrap_or_else(|| panic!("{what}: no test"));
        assert!(code.contains(&format!("fn {test}(")), "{what}: no test {test}");
    }
}
