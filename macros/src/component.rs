//! `#[derive(Component)]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    DeriveInput, Error, Ident, LitStr, Path, Result, Token, Type, parenthesized, parse_quote,
    parse_quote_spanned,
};

use crate::evolution::Evolution;

/// Options of `#[component(…)]`.
#[derive(Default)]
struct Options {
    tag: Option<LitStr>,
    instances: Vec<Instance>,
    model: bool,
    hooks: bool,
    evolution: Evolution,
    larder: Option<Path>,
}

/// `Grid<f32> = "acme/grid-f32"`
struct Instance {
    ty: Type,
    tag: LitStr,
}

impl Parse for Instance {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let ty = input.parse()?;
        input.parse::<Token![=]>()?;
        let tag = input.parse()?;
        check_tag(&tag)?;
        Ok(Self { ty, tag })
    }
}

impl Options {
    fn of(input: &DeriveInput) -> Result<Self> {
        let mut options = Self::default();
        for attribute in
            input.attrs.iter().filter(|attribute| attribute.path().is_ident("component"))
        {
            attribute.parse_nested_meta(|meta| options.read(&meta))?;
        }
        Ok(options)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("tag") {
            if self.tag.is_some() {
                return Err(meta.error("duplicate option `tag`"));
            }
            let tag: LitStr = meta.value()?.parse()?;
            check_tag(&tag)?;
            self.tag = Some(tag);
        } else if meta.path.is_ident("instances") {
            let list;
            parenthesized!(list in meta.input);
            for instance in Punctuated::<Instance, Token![,]>::parse_terminated(&list)? {
                if self.instances.iter().any(|known| known.tag.value() == instance.tag.value()) {
                    return Err(Error::new(
                        instance.tag.span(),
                        "duplicate tag: a tag names one type",
                    ));
                }
                self.instances.push(instance);
            }
        } else if meta.path.is_ident("model") {
            flag(meta, "model", &mut self.model)?;
        } else if meta.path.is_ident("hooks") {
            flag(meta, "hooks", &mut self.hooks)?;
        } else if self.evolution.read(meta)? {
            // `version`, `migrate_from` or `alias`
        } else if meta.path.is_ident("crate") {
            if self.larder.is_some() {
                return Err(meta.error("duplicate option `crate`"));
            }
            self.larder = Some(meta.value()?.call(Path::parse_mod_style)?);
        } else if meta.path.is_ident("num_workers") {
            return Err(meta.error(
                "unknown option `num_workers`: implement `fn num_workers(&self) -> usize` in `impl Predict`",
            ));
        } else if meta.path.is_ident("method") {
            return Err(meta.error(
                "unknown option `method`: remove this derive and write \
                 `#[objectmodel(tag = \"…\", method = \"…\")] impl MyType { … }`",
            ));
        } else {
            return Err(meta.error(
                "unknown option: expected `tag = \"…\"`, `instances(…)`, `model`, `hooks`, `version = 2`, \
                 `migrate_from(1 = \"…\")`, `alias = \"…\"` or `crate = …`",
            ));
        }
        Ok(())
    }
}

/// Parses an option without a value.
pub(crate) fn flag(meta: &ParseNestedMeta<'_>, name: &str, on: &mut bool) -> Result<()> {
    if *on {
        return Err(meta.error(format!("duplicate option `{name}`")));
    }
    if meta.input.peek(Token![=]) {
        return Err(meta.error(format!("`{name}` takes no value")));
    }
    *on = true;
    Ok(())
}

/// Validates a tag by the rules of `larder_core::store::TypeTag`.
pub(crate) fn check_tag(tag: &LitStr) -> Result<()> {
    let text = tag.value();
    let part = |part: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        part.bytes().next().is_some_and(plain)
            && part.bytes().all(|b| plain(b) || b"._-".contains(&b))
            && !part.contains("..")
    };
    if text.len() <= 200 && text.split('/').all(part) {
        return Ok(());
    }
    Err(Error::new(
        tag.span(),
        "invalid type tag: expected segments of a-z 0-9 . _ - joined by `/`, each starting with a letter \
         or digit, such as \"acme/wine\"",
    ))
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let options = Options::of(input)?;
    let name = &input.ident;
    let larder = options.larder.unwrap_or_else(|| parse_quote!(::larder));
    let instances = match (options.tag, &*options.instances) {
        (Some(tag), []) if input.generics.params.is_empty() => {
            // With the span of the name and of nothing else, as errors point there.
            vec![Instance { ty: parse_quote_spanned!(name.span()=> #name), tag }]
        }
        (_, []) if !input.generics.params.is_empty() => {
            return Err(Error::new_spanned(
                &input.generics,
                format!(
                    "a tag names one type: give each instance of a generic type its own, as in \
                     `#[component(instances({name}<f32> = \"acme/name-f32\"))]`"
                ),
            ));
        }
        (Some(tag), _) => {
            return Err(Error::new(
                tag.span(),
                "`tag` and `instances` exclude each other: each instance has its own tag",
            ));
        }
        (None, []) => {
            return Err(Error::new(
                name.span(),
                "missing type tag: add `#[component(tag = \"acme/name\")]`, and never change it",
            ));
        }
        (None, [instance, ..]) if input.generics.params.is_empty() => {
            return Err(Error::new(
                instance.ty.span(),
                "the type is not generic: write `tag = \"acme/name\"`",
            ));
        }
        (None, [_, second, ..]) if options.evolution.has_aliases() => {
            return Err(Error::new(
                second.ty.span(),
                "`alias` names one type, and there are several instances: remove it",
            ));
        }
        (None, _) => options.instances,
    };
    let mut tokens = TokenStream::new();
    for Instance { ty, tag } in &instances {
        if !is_of(ty, name) {
            return Err(Error::new(ty.span(), format!("expected an instance of `{name}`")));
        }
        options.evolution.check(tag)?;
        tokens.extend(register(&Registration {
            larder: &larder,
            ty,
            tag,
            model: options.model,
            hooks: options.hooks,
            source: None,
            evolution: &options.evolution,
        }));
    }
    Ok(tokens)
}

/// Returns true if `ty` is the type `name` with any parameters.
fn is_of(ty: &Type, name: &Ident) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == *name),
        _ => false,
    }
}

/// Input for the `Component` implementation and registration of a type.
pub(crate) struct Registration<'a> {
    pub(crate) larder: &'a Path,
    pub(crate) ty: &'a Type,
    pub(crate) tag: &'a LitStr,
    pub(crate) model: bool,
    /// True if the type implements `Hooks`.
    pub(crate) hooks: bool,
    /// The current source text of a code model.
    pub(crate) source: Option<&'a TokenStream>,
    pub(crate) evolution: &'a Evolution,
}

pub(crate) fn register(registration: &Registration<'_>) -> TokenStream {
    let Registration { larder, ty, tag, model, hooks, source, evolution } = registration;
    let (item, as_model) = if *model {
        let as_model = quote! {
            fn as_model(&self) -> ::core::option::Option<&dyn #larder::Model> {
                ::core::option::Option::Some(self)
            }
        };
        (quote!(model), as_model)
    } else {
        (quote!(component), TokenStream::new())
    };
    let (as_hooks, has_hooks) = hooks.then(|| as_hooks(larder, ty.span())).unzip();
    let source = source.map(|source| {
        quote! {
            const SOURCE: ::core::option::Option<#larder::versions::Source> =
                ::core::option::Option::Some(#source);
        }
    });
    let type_version = evolution.component_items();
    let evolution = evolution.type_items(larder);
    quote! {
        const _: () = {
            use #larder::__private::typetag;

            #[typetag::serde(name = #tag)]
            impl #larder::Component for #ty {
                #type_version
                #as_model
                #as_hooks
            }

            impl #larder::ComponentType for #ty {
                const TAG: &'static str = #tag;
                #has_hooks
                #source
                #evolution
            }

            #larder::link!(#larder::Item::#item::<#ty>());
        };
    }
}

/// Returns the methods that give access to `impl Hooks`, and the constant that declares it.
fn as_hooks(larder: &Path, span: Span) -> (TokenStream, TokenStream) {
    // Points a missing implementation at the user's type.
    let this = quote_spanned!(span.resolved_at(Span::call_site())=> self);
    let as_hooks = quote! {
        fn as_hooks(&self) -> ::core::option::Option<&dyn #larder::Hooks> {
            ::core::option::Option::Some(#this)
        }

        fn as_hooks_mut(&mut self) -> ::core::option::Option<&mut dyn #larder::Hooks> {
            ::core::option::Option::Some(#this)
        }

        fn clone_component(&self) -> ::core::option::Option<::std::boxed::Box<dyn #larder::Component>> {
            ::core::option::Option::Some(#larder::__private::hooks_require_clone(#this))
        }
    };
    (
        as_hooks,
        quote!(
            const HOOKS: bool = true;
        ),
    )
}
