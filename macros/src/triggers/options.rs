//! Options of `#[trigger(…)]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, Error, LitInt, LitStr, Path, Result, Token, bracketed, parenthesized};

/// Event that runs a trigger.
pub(super) enum Event {
    Apply,
    Remove,
    Cron(LitStr),
    Custom(LitStr),
}

impl Event {
    /// Returns a key that is unique to the event.
    pub(super) fn key(&self) -> (u8, String) {
        match self {
            Self::Apply => (0, String::new()),
            Self::Remove => (1, String::new()),
            Self::Cron(schedule) => (2, schedule.value()),
            Self::Custom(name) => (3, name.value()),
        }
    }

    /// Generates the expression of the event.
    pub(super) fn expand(&self, larder: &Path) -> TokenStream {
        match self {
            Self::Apply => quote!(#larder::jobs::Event::Apply),
            Self::Remove => quote!(#larder::jobs::Event::Remove),
            Self::Cron(schedule) => {
                // Points an invalid schedule at its literal.
                let mut path = larder.clone();
                path.segments.iter_mut().for_each(|it| it.ident.set_span(schedule.span()));
                if let Some(colon) = &mut path.leading_colon {
                    colon.spans = [schedule.span(); 2];
                }
                let check = quote_spanned! { schedule.span()=>
                    const _: () = #path::jobs::__private::check_schedule(#schedule);
                };
                quote!({ #check #larder::jobs::__private::cron(#schedule) })
            }
            Self::Custom(name) => quote!(#larder::jobs::__private::custom_event(#name)),
        }
    }
}

pub(super) struct Options {
    span: Span,
    pub(super) events: Vec<Event>,
    pub(super) depends_on: Vec<LitStr>,
    pub(super) requires: Vec<LitStr>,
    pub(super) retries: Option<LitInt>,
    /// In milliseconds.
    pub(super) timeout: Option<u64>,
    pub(super) outputs: bool,
}

impl Options {
    pub(super) fn new(span: Span) -> Self {
        Self {
            span,
            events: Vec::new(),
            depends_on: Vec::new(),
            requires: Vec::new(),
            retries: None,
            timeout: None,
            outputs: false,
        }
    }

    pub(super) fn read(&mut self, attribute: &Attribute) -> Result<()> {
        let quoted = attribute.parse_args_with(|input: ParseStream<'_>| {
            let literal = input.parse::<LitStr>()?;
            input.parse::<TokenStream>()?;
            Ok(literal)
        });
        if let Ok(literal) = quoted {
            return Err(Error::new(
                literal.span(),
                "an event is written without quotes: `#[trigger(apply)]`, or `#[trigger(event(\"retrain\"))]` \
                 for a custom one",
            ));
        }
        attribute.parse_nested_meta(|meta| self.read_one(&meta))
    }

    /// Rejects a trigger without an event.
    pub(super) fn check(&self) -> Result<()> {
        if self.events.is_empty() {
            return Err(Error::new(
                self.span,
                "missing event: add `apply`, `remove`, `cron(\"0 3 * * *\")` or `event(\"retrain\")`",
            ));
        }
        Ok(())
    }

    fn read_one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "apply" => self.event(meta, Event::Apply),
            "remove" => self.event(meta, Event::Remove),
            "cron" => {
                let schedule = argument(meta, "cron(\"0 3 * * *\")")?;
                self.event(meta, Event::Cron(schedule))
            }
            "event" => {
                let name = argument(meta, "event(\"retrain\")")?;
                check_event(&name)?;
                self.event(meta, Event::Custom(name))
            }
            "depends_on" => texts(meta, &mut self.depends_on),
            "requires" => {
                texts(meta, &mut self.requires)?;
                for field in &self.requires {
                    if syn::parse_str::<syn::Ident>(&field.value()).is_err() {
                        return Err(Error::new(field.span(), "invalid field name: `requires` names fields of the type"));
                    }
                }
                Ok(())
            }
            "retries" => {
                if self.retries.is_some() {
                    return Err(meta.error("duplicate option `retries`"));
                }
                let retries: LitInt = meta.value()?.parse()?;
                if !matches!(retries.base10_parse::<u32>(), Ok(..=1000)) {
                    return Err(Error::new(retries.span(), "invalid number of retries: expected 0 to 1000"));
                }
                self.retries = Some(retries);
                Ok(())
            }
            "timeout" => {
                if self.timeout.is_some() {
                    return Err(meta.error("duplicate option `timeout`"));
                }
                let text: LitStr = meta.value()?.parse()?;
                self.timeout = Some(millis(&text.value()).ok_or_else(|| {
                    Error::new(text.span(), "invalid timeout: expected a duration such as \"500ms\", \"30s\", \"5min\" or \"2h\"")
                })?);
                Ok(())
            }
            "outputs" => {
                if meta.input.peek(Token![=]) {
                    return Err(meta.error("`outputs` takes no value"));
                }
                self.outputs = true;
                Ok(())
            }
            _ => Err(meta.error(
                "unknown event or option: expected an event (`apply`, `remove`, `cron(\"…\")`, `event(\"…\")`) \
                 or `depends_on = \"…\"`, `requires = \"…\"`, `retries = 3`, `timeout = \"30s\"`, `outputs`",
            )),
        }
    }

    fn event(&mut self, meta: &ParseNestedMeta<'_>, event: Event) -> Result<()> {
        if self.events.iter().any(|known| known.key() == event.key()) {
            return Err(meta.error("duplicate event"));
        }
        self.events.push(event);
        Ok(())
    }
}

/// Parses the string in parentheses after a name.
fn argument(meta: &ParseNestedMeta<'_>, shape: &str) -> Result<LitStr> {
    if !meta.input.peek(syn::token::Paren) {
        return Err(meta.error(format!("expected `{shape}`")));
    }
    let content;
    parenthesized!(content in meta.input);
    let text = content.parse()?;
    if !content.is_empty() {
        return Err(content.error(format!("expected `{shape}`")));
    }
    Ok(text)
}

/// Parses one string, or several in brackets.
fn texts(meta: &ParseNestedMeta<'_>, into: &mut Vec<LitStr>) -> Result<()> {
    let value = meta.value()?;
    if value.peek(LitStr) {
        into.push(value.parse()?);
        return Ok(());
    }
    let content;
    bracketed!(content in value);
    let all = content.parse_terminated(|one| one.parse::<LitStr>(), Token![,])?;
    into.extend(all);
    Ok(())
}

/// Validates an event name by the rules of `larder_core::store::EventName`.
fn check_event(name: &LitStr) -> Result<()> {
    let text = name.value();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let fits = text.bytes().next().is_some_and(plain)
        && text.bytes().all(|b| plain(b) || b"._-".contains(&b))
        && !text.contains("..")
        && text.len() <= 64;
    match text.as_str() {
        "apply" | "remove" | "cron" => Err(Error::new(
            name.span(),
            format!("`{text}` is a built-in event: write `{text}` without `event(…)`"),
        )),
        _ if fits => Ok(()),
        _ => Err(Error::new(
            name.span(),
            "invalid event name: expected 1 to 64 of a-z 0-9 . _ -, starting with a letter or digit",
        )),
    }
}

/// Parses a positive duration; returns milliseconds.
fn millis(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit).filter(|millis| *millis > 0)
}
