//! What follows the table of the server: values in layers, blocks over the global part. sshd_config(5), Match.
//! Touches: nothing.   Never: which blocks apply.
//! Invariants: within a layer the first value wins, between layers the upper one; lists are taken whole.
//! Errors: none.   Allocates: copies of the values.
//! Proved by: `tests` in `server`.

macro_rules! layers {
    (
        $keyword:ident $options:ident
        single { $($single:ident $single_field:ident)* }
        optional { $($optional:ident $optional_field:ident)* }
        many { $($many:ident $many_field:ident)* }
    ) => {
        impl Stored {
            /// Adds what a later part of the same layer says.
            pub(super) fn and(&mut self, later: &Self) {
                $(if self.$single_field.is_none() {
                    self.$single_field.clone_from(&later.$single_field);
                })*
                $(if self.$optional_field.is_none() {
                    self.$optional_field.clone_from(&later.$optional_field);
                })*
                $(for value in &later.$many_field {
                    every(&mut self.$many_field, value.clone());
                })*
            }

            /// Lays this over another layer.
            pub(super) fn over(&mut self, lower: &Self) {
                $(if self.$single_field.is_none() {
                    self.$single_field.clone_from(&lower.$single_field);
                })*
                $(if self.$optional_field.is_none() {
                    self.$optional_field.clone_from(&lower.$optional_field);
                })*
                $(if self.$many_field.is_empty() {
                    self.$many_field.clone_from(&lower.$many_field);
                })*
            }
        }

        impl $options {
            /// Every keyword that is stored, with its values as they are written: one for each line.
            pub(super) fn shown(&self) -> Vec<($keyword, Vec<String>)> {
                use super::dump::Show;
                vec![
                    $(($keyword::$single, vec![self.$single_field.show($keyword::$single)]),)*
                    $(($keyword::$optional, vec![self.$optional_field.show($keyword::$optional)]),)*
                    $((
                        $keyword::$many,
                        self.$many_field.iter().map(|value| value.show($keyword::$many)).collect(),
                    ),)*
                ]
            }
        }
    };
}

pub(super) use layers;
