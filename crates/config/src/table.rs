//! The macro that makes everything out of a table of keywords: the enum, the rows, the options, their storage.
//! Touches: nothing at run time.   Never: what a keyword means; that is in the tables.
//! Invariants: a keyword stands in one section of the table; the section says how it is stored.
//! Errors: those of the readers in `value`.   Allocates: what the values need.
//! Proved by: `tests` in `client` and `server`.

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
        $page:literal $keyword:ident $rows:ident $options:ident
        then $then:ident
        defaults($algorithms:ident)
        values {$(
            $(#[$value_doc:meta])*
            $value:ident $(@$value_scope:ident)? [$($value_alias:literal),*] $value_kind:ident $value_field:ident: $value_type:ty = $default:expr;
        )*}
        partly {$(
            $(#[$partly_doc:meta])*
            $partly:ident $(@$partly_scope:ident)? [$($partly_alias:literal),*] $partly_kind:ident $partly_field:ident: $partly_type:ty = $partly_default:expr, $partly_why:literal;
        )*}
        optional {$(
            $(#[$optional_doc:meta])*
            $optional:ident $(@$optional_scope:ident)? [$($optional_alias:literal),*] $optional_kind:ident $optional_field:ident: $optional_type:ty;
        )*}
        repeated {$(
            $(#[$repeated_doc:meta])*
            $repeated:ident $(@$repeated_scope:ident)? [$($repeated_alias:literal),*] $repeated_kind:ident $repeated_field:ident: $repeated_type:ty;
        )*}
        listed {$(
            $(#[$listed_doc:meta])*
            $listed:ident $(@$listed_scope:ident)? [$($listed_alias:literal),*] $listed_kind:ident $listed_field:ident: $listed_type:ty;
        )*}
        without_effect {$(
            $inert:ident $(@$inert_scope:ident)? [$($inert_alias:literal),*] $inert_kind:ident $inert_why:literal;
        )*}
        missing {$(
            $missing:ident $(@$missing_scope:ident)? [$($missing_alias:literal),*] $missing_kind:ident $missing_off:tt $missing_why:literal;
        )*}
        refused {$(
            $refused:ident $(@$refused_scope:ident)? [$($refused_alias:literal),*] $refused_kind:ident $refused_off:tt $refused_why:literal;
        )*}
        files_only {$(
            $file:ident $file_why:literal;
        )*}
        deprecated {$(
            $old:ident $(@$old_scope:ident)?;
        )*}
    ) => {
        #[doc = concat!("Every keyword of ", $page, ", those of former times included.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $keyword {
            $(#[doc = concat!("`", stringify!($value), "`")] $value,)*
            $(#[doc = concat!("`", stringify!($partly), "`")] $partly,)*
            $(#[doc = concat!("`", stringify!($optional), "`")] $optional,)*
            $(#[doc = concat!("`", stringify!($repeated), "`")] $repeated,)*
            $(#[doc = concat!("`", stringify!($listed), "`")] $listed,)*
            $(#[doc = concat!("`", stringify!($inert), "`")] $inert,)*
            $(#[doc = concat!("`", stringify!($missing), "`")] $missing,)*
            $(#[doc = concat!("`", stringify!($refused), "`")] $refused,)*
            $(#[doc = concat!("`", stringify!($file), "`")] $file,)*
            $(#[doc = concat!("`", stringify!($old), "`")] $old,)*
        }

        #[doc = concat!("One row for each keyword of ", $page, ", in their order.")]
        pub static $rows: &[Row<$keyword>] = &[
            $(row!($keyword $value [$($value_scope)?] [$($value_alias),*] $value_kind false Status::Honoured),)*
            $(row!($keyword $partly [$($partly_scope)?] [$($partly_alias),*] $partly_kind false
                Status::Partly($partly_why)),)*
            $(row!($keyword $optional [$($optional_scope)?] [$($optional_alias),*] $optional_kind false
                Status::Honoured),)*
            $(row!($keyword $repeated [$($repeated_scope)?] [$($repeated_alias),*] $repeated_kind true
                Status::Honoured),)*
            $(row!($keyword $listed [$($listed_scope)?] [$($listed_alias),*] $listed_kind true
                Status::Honoured),)*
            $(row!($keyword $inert [$($inert_scope)?] [$($inert_alias),*] $inert_kind false
                Status::WithoutEffect($inert_why)),)*
            $(row!($keyword $missing [$($missing_scope)?] [$($missing_alias),*] $missing_kind false
                Status::Missing { off: &$missing_off, why: $missing_why }),)*
            $(row!($keyword $refused [$($refused_scope)?] [$($refused_alias),*] $refused_kind false
                Status::Refused { off: &$refused_off, why: $refused_why }),)*
            $(row!($keyword $file [] [] line false Status::FilesOnly($file_why)),)*
            $(row!($keyword $old [$($old_scope)?] [] line false Status::Deprecated),)*
        ];

        impl $keyword {
            /// Finds a keyword under any of its names.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                $rows.iter().find(|row| row.is_called(name)).map(|row| row.keyword)
            }

            /// Its row of the table.
            #[must_use]
            pub fn row(self) -> &'static Row<Self> {
                &$rows[self as usize]
            }
        }

        /// What is in force.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $options {
            $($(#[$value_doc])* pub $value_field: $value_type,)*
            $($(#[$partly_doc])* pub $partly_field: $partly_type,)*
            $($(#[$optional_doc])* pub $optional_field: Option<$optional_type>,)*
            $($(#[$repeated_doc])* pub $repeated_field: Vec<$repeated_type>,)*
            $($(#[$listed_doc])* pub $listed_field: Vec<$listed_type>,)*
        }

        /// What has been said so far.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Stored {
            $(pub(crate) $value_field: Option<$value_type>,)*
            $(pub(crate) $partly_field: Option<$partly_type>,)*
            $(pub(crate) $optional_field: Option<$optional_type>,)*
            $(pub(crate) $repeated_field: Vec<$repeated_type>,)*
            $(pub(crate) $listed_field: Vec<$listed_type>,)*
        }

        impl Stored {
            /// Reads the value and keeps it where its keyword has it kept.
            pub(crate) fn store(
                &mut self,
                keyword: $keyword,
                input: &mut Input<'_>,
            ) -> Result<(), ValueError> {
                match keyword {
                    $($keyword::$value => first(&mut self.$value_field, value::$value_kind(input)?),)*
                    $($keyword::$partly => first(&mut self.$partly_field, value::$partly_kind(input)?),)*
                    $($keyword::$optional => {
                        first(&mut self.$optional_field, value::$optional_kind(input)?);
                    })*
                    $($keyword::$repeated => {
                        every(&mut self.$repeated_field, value::$repeated_kind(input)?);
                    })*
                    $($keyword::$listed => {
                        for value in value::$listed_kind(input)? {
                            every(&mut self.$listed_field, value);
                        }
                    })*
                    $($keyword::$inert => drop(value::$inert_kind(input)?),)*
                    $($keyword::$missing => drop(value::$missing_kind(input)?),)*
                    $($keyword::$refused => drop(value::$refused_kind(input)?),)*
                    $($keyword::$file => drop(value::line(input)?),)*
                    $($keyword::$old => drop(value::line(input)?),)*
                }
                Ok(())
            }

            /// Fills in what has not been said.
            pub(crate) fn into_options(self, $algorithms: &Algorithms) -> $options {
                $options {
                    $($value_field: self.$value_field.unwrap_or_else(|| $default),)*
                    $($partly_field: self.$partly_field.unwrap_or($partly_default),)*
                    $($optional_field: self.$optional_field,)*
                    $($repeated_field: self.$repeated_field,)*
                    $($listed_field: self.$listed_field,)*
                }
            }
        }

        $then! {
            $keyword $options
            single {
                $($value $value_field)*
                $($partly $partly_field)*
            }
            optional { $($optional $optional_field)* }
            many {
                $($repeated $repeated_field)*
                $($listed $listed_field)*
            }
        }
    };
}

macro_rules! row {
    ($keyword:ident $name:ident [$($scope:ident)?] $aliases:tt $kind:ident $repeats:literal $status:expr) => {
        Row {
            keyword: $keyword::$name,
            name: stringify!($name),
            aliases: &$aliases,
            kind: stringify!($kind),
            repeats: $repeats,
            scope: scope!($($scope)?),
            status: $status,
        }
    };
}

macro_rules! scope {
    () => {
        Scope::Everywhere
    };
    (global) => {
        Scope::Global
    };
}

/// What follows the table of the client: what has been said can be taken back.
macro_rules! replaceable {
    (
        $keyword:ident $options:ident
        single { $($single:ident $single_field:ident)* }
        optional { $($optional:ident $optional_field:ident)* }
        many { $($many:ident $many_field:ident)* }
    ) => {
        impl Stored {
            /// Forgets what has been said.
            pub(crate) fn clear(&mut self, keyword: $keyword) {
                match keyword {
                    $($keyword::$single => self.$single_field = None,)*
                    $($keyword::$optional => self.$optional_field = None,)*
                    $($keyword::$many => self.$many_field.clear(),)*
                    _ => {}
                }
            }
        }
    };
}

pub(crate) use {keyword_table, replaceable, row, scope};
