//! The macro that makes everything out of the one table of keywords: the enum, the rows, the options, their storage.
//! Touches: nothing at run time.   Never: what a keyword means; that is in `keywords`.
//! Invariants: a keyword stands in one section of the table; the section says how it is stored.
//! Errors: those of the readers in `value`.   Allocates: what the values need.
//! Proved by: `tests` in `keywords` and `client`.

/// Keeps the first value.
pub(crate) fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

/// Keeps every value, each once.
pub(crate) fn every<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

macro_rules! keyword_table {
    (
        defaults($algorithms:ident)
        values {$(
            $(#[$value_doc:meta])*
            $value:ident $value_aliases:tt $value_kind:ident $value_field:ident: $value_type:ty = $default:expr;
        )*}
        partly {$(
            $(#[$partly_doc:meta])*
            $partly:ident $partly_aliases:tt $partly_kind:ident $partly_field:ident: $partly_type:ty = $partly_default:expr, $partly_why:literal;
        )*}
        optional {$(
            $(#[$optional_doc:meta])*
            $optional:ident $optional_aliases:tt $optional_kind:ident $optional_field:ident: $optional_type:ty;
        )*}
        repeated {$(
            $(#[$repeated_doc:meta])*
            $repeated:ident $repeated_aliases:tt $repeated_kind:ident $repeated_field:ident: $repeated_type:ty;
        )*}
        without_effect {$(
            $inert:ident $inert_aliases:tt $inert_kind:ident $inert_why:literal;
        )*}
        missing {$(
            $missing:ident $missing_aliases:tt $missing_kind:ident $missing_off:tt $missing_why:literal;
        )*}
        refused {$(
            $refused:ident $refused_aliases:tt $refused_kind:ident $refused_off:tt $refused_why:literal;
        )*}
        files_only {$(
            $file:ident $file_why:literal;
        )*}
        deprecated {$(
            $old:ident;
        )*}
    ) => {
        /// Every keyword of ssh_config, those of former times included.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Keyword {
            $(#[doc = concat!("`", stringify!($value), "`")] $value,)*
            $(#[doc = concat!("`", stringify!($partly), "`")] $partly,)*
            $(#[doc = concat!("`", stringify!($optional), "`")] $optional,)*
            $(#[doc = concat!("`", stringify!($repeated), "`")] $repeated,)*
            $(#[doc = concat!("`", stringify!($inert), "`")] $inert,)*
            $(#[doc = concat!("`", stringify!($missing), "`")] $missing,)*
            $(#[doc = concat!("`", stringify!($refused), "`")] $refused,)*
            $(#[doc = concat!("`", stringify!($file), "`")] $file,)*
            $(#[doc = concat!("`", stringify!($old), "`")] $old,)*
        }

        /// One row for each [`Keyword`], in its order.
        pub static KEYWORDS: &[Row] = &[
            $(row!($value $value_aliases $value_kind false Status::Honoured),)*
            $(row!($partly $partly_aliases $partly_kind false Status::Partly($partly_why)),)*
            $(row!($optional $optional_aliases $optional_kind false Status::Honoured),)*
            $(row!($repeated $repeated_aliases $repeated_kind true Status::Honoured),)*
            $(row!($inert $inert_aliases $inert_kind false Status::WithoutEffect($inert_why)),)*
            $(row!($missing $missing_aliases $missing_kind false
                Status::Missing { off: &$missing_off, why: $missing_why }),)*
            $(row!($refused $refused_aliases $refused_kind false
                Status::Refused { off: &$refused_off, why: $refused_why }),)*
            $(row!($file [] line false Status::FilesOnly($file_why)),)*
            $(row!($old [] line false Status::Deprecated),)*
        ];

        /// What is in force.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct Options {
            $($(#[$value_doc])* pub $value_field: $value_type,)*
            $($(#[$partly_doc])* pub $partly_field: $partly_type,)*
            $($(#[$optional_doc])* pub $optional_field: Option<$optional_type>,)*
            $($(#[$repeated_doc])* pub $repeated_field: Vec<$repeated_type>,)*
        }

        /// What has been said so far.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Stored {
            $(pub(crate) $value_field: Option<$value_type>,)*
            $(pub(crate) $partly_field: Option<$partly_type>,)*
            $(pub(crate) $optional_field: Option<$optional_type>,)*
            $(pub(crate) $repeated_field: Vec<$repeated_type>,)*
        }

        impl Stored {
            /// Reads the value and keeps it where its keyword has it kept.
            pub(crate) fn store(
                &mut self,
                keyword: Keyword,
                input: &mut Input<'_>,
            ) -> Result<(), ValueError> {
                match keyword {
                    $(Keyword::$value => first(&mut self.$value_field, value::$value_kind(input)?),)*
                    $(Keyword::$partly => first(&mut self.$partly_field, value::$partly_kind(input)?),)*
                    $(Keyword::$optional => {
                        first(&mut self.$optional_field, value::$optional_kind(input)?);
                    })*
                    $(Keyword::$repeated => {
                        every(&mut self.$repeated_field, value::$repeated_kind(input)?);
                    })*
                    $(Keyword::$inert => drop(value::$inert_kind(input)?),)*
                    $(Keyword::$missing => drop(value::$missing_kind(input)?),)*
                    $(Keyword::$refused => drop(value::$refused_kind(input)?),)*
                    $(Keyword::$file => drop(value::line(input)?),)*
                    $(Keyword::$old => drop(value::line(input)?),)*
                }
                Ok(())
            }

            /// Forgets what has been said.
            pub(crate) fn clear(&mut self, keyword: Keyword) {
                match keyword {
                    $(Keyword::$value => self.$value_field = None,)*
                    $(Keyword::$partly => self.$partly_field = None,)*
                    $(Keyword::$optional => self.$optional_field = None,)*
                    $(Keyword::$repeated => self.$repeated_field.clear(),)*
                    _ => {}
                }
            }

            /// Fills in what has not been said.
            pub(crate) fn into_options(self, $algorithms: &Algorithms) -> Options {
                Options {
                    $($value_field: self.$value_field.unwrap_or_else(|| $default),)*
                    $($partly_field: self.$partly_field.unwrap_or($partly_default),)*
                    $($optional_field: self.$optional_field,)*
                    $($repeated_field: self.$repeated_field,)*
                }
            }
        }
    };
}

macro_rules! row {
    ($name:ident $aliases:tt $kind:ident $repeats:literal $status:expr) => {
        Row {
            keyword: Keyword::$name,
            name: stringify!($name),
            aliases: &$aliases,
            kind: stringify!($kind),
            repeats: $repeats,
            status: $status,
        }
    };
}

pub(crate) use {keyword_table, row};
