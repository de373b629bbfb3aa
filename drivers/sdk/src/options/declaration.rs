//! One option: its declaration, and how that ends in its value.

use super::Options;
use crate::types::Pair;
use crate::{OptionKind, OptionSpec};

type Parser<T> = Box<dyn Fn(&str) -> Result<T, String>>;

/// An option that is being declared. [`optional`](Declaration::optional),
/// [`default`](Declaration::default) or [`required`](Declaration::required) ends the declaration
/// and reads the value.
#[must_use = "an option is declared by what reads it: optional, default or required"]
pub struct Declaration<'a, T> {
    options: &'a mut Options,
    spec: OptionSpec,
    parse: Parser<T>,
    empty_is_absent: bool,
}

impl<'a, T> Declaration<'a, T> {
    pub(super) fn new(
        options: &'a mut Options,
        spec: OptionSpec,
        parse: impl Fn(&str) -> Result<T, String> + 'static,
    ) -> Self {
        Self {
            options,
            spec,
            parse: Box::new(parse),
            empty_is_absent: false,
        }
    }

    /// Marks the option as secret: its value is never shown or logged, also not in messages.
    pub fn secret(mut self) -> Self {
        self.spec.secret = true;
        self
    }

    /// Marks the option as deprecated, with the reason and what to use instead.
    pub fn deprecated(mut self, why: &str) -> Self {
        self.spec.deprecated = Some(why.into());
        self
    }

    /// Treats an empty value as no value, as the engine's command line does for many options.
    pub fn empty_is_absent(mut self) -> Self {
        self.empty_is_absent = true;
        self
    }

    /// Checks or converts the value. The error is one clause without the name of the option.
    pub fn try_map<U>(self, change: impl Fn(T) -> Result<U, String> + 'static) -> Declaration<'a, U>
    where
        T: 'static,
    {
        let parse = self.parse;
        Declaration {
            options: self.options,
            spec: self.spec,
            parse: Box::new(move |text| change(parse(text)?)),
            empty_is_absent: self.empty_is_absent,
        }
    }

    /// Returns the value, if it was given.
    pub fn optional(self) -> Option<T> {
        self.read()
    }

    /// Returns the value or the default, which the help shows.
    ///
    /// # Panics
    ///
    /// If the default cannot be parsed as a value of the option. Every test of the driver finds this.
    pub fn default(mut self, default: &str) -> T {
        let value = match (self.parse)(default) {
            Ok(value) => value,
            Err(message) => panic!(
                "the default of the option {} is wrong: {message}",
                self.spec.name
            ),
        };
        self.spec.default = Some(default.into());
        self.read().unwrap_or(value)
    }

    /// Returns the value, which must be given. If it is missing, the value is the default of the type, and
    /// the configuration is refused.
    pub fn required(mut self) -> T
    where
        T: Default,
    {
        self.spec.required = true;
        if !self.options.is_given(&self.spec.name) {
            self.options.missing.push(self.spec.name.clone());
        }
        self.read().unwrap_or_default()
    }

    fn read(self) -> Option<T> {
        let value = self
            .options
            .value(&self.spec.name)
            .filter(|value| !(self.empty_is_absent && value.is_empty()))
            .map(|value| (self.parse)(value));
        let result = match value {
            None => None,
            Some(Ok(value)) => Some(value),
            Some(Err(message)) => {
                let message = if self.spec.secret {
                    format!("its value (not shown) is not {}", article(&self.spec.kind))
                } else {
                    message
                };
                self.options.refuse(&self.spec.name, message);
                None
            }
        };
        self.options.declared.push(self.spec);
        result
    }
}

impl<'a> Declaration<'a, String> {
    /// Parses the text, for example with a parser of [`values`](crate::values).
    pub fn parse<U>(
        self,
        parse: impl Fn(&str) -> Result<U, String> + 'static,
    ) -> Declaration<'a, U> {
        self.try_map(move |text| parse(&text))
    }
}

/// A table that is being declared; [`read`](Table::read) ends the declaration.
#[must_use = "a table is declared by what reads it: read"]
pub struct Table<'a> {
    options: &'a mut Options,
    spec: OptionSpec,
}

impl<'a> Table<'a> {
    pub(super) fn new(options: &'a mut Options, spec: OptionSpec) -> Self {
        Self { options, spec }
    }

    /// Marks the table as secret: its values are never shown or logged.
    pub fn secret(mut self) -> Self {
        self.spec.secret = true;
        self
    }

    /// Marks the option as deprecated, with the reason and what to use instead.
    pub fn deprecated(mut self, why: &str) -> Self {
        self.spec.deprecated = Some(why.into());
        self
    }

    /// Returns the keys and values, in the order in which they were given, each key once: the last value
    /// counts.
    pub fn read(self) -> Vec<Pair> {
        let Self { options, spec } = self;
        let mut pairs: Vec<Pair> = Vec::new();
        for (option, value) in options.given.clone() {
            let Some(key) = option
                .strip_prefix(spec.name.as_str())
                .and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            if key.is_empty() {
                options.refuse(&option, format!("expecting {}.NAME=VALUE", spec.name));
            } else {
                pairs.retain(|(earlier, _)| earlier != key);
                pairs.push((key.to_owned(), value));
            }
        }
        options.declared.push(spec);
        pairs
    }
}

/// Returns the kind in words, for a message that may not show the value.
fn article(kind: &OptionKind) -> &'static str {
    match kind {
        OptionKind::Boolean => "true or false",
        OptionKind::Integer => "a whole number",
        OptionKind::Size => "a size",
        OptionKind::Duration => "a duration",
        OptionKind::Choice(_) => "one of the choices",
        _ => "in the form that is expected",
    }
}
