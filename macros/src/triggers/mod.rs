//! `#[triggers]`.

mod options;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::meta;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{
    Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Path, Result, ReturnType, Signature, Type,
    parse_quote, parse2,
};

use self::options::{Event, Options};

pub(crate) fn expand(options: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut item = match parse2::<ItemImpl>(tokens.clone()) {
        Ok(item) => item,
        Err(error) => {
            let error = Error::new(error.span(), "expected an `impl` block of a component type");
            let error = error.into_compile_error();
            return quote!(#tokens #error);
        }
    };
    // Keeps the block on error, so that its users compile.
    let generated = crate_of(options).and_then(|larder| triggers(&mut item, &larder));
    let generated = generated.unwrap_or_else(Error::into_compile_error);
    quote!(#item #generated)
}

fn crate_of(options: TokenStream) -> Result<Path> {
    let mut larder = None;
    let parser = meta::parser(|meta| {
        if !meta.path.is_ident("crate") {
            return Err(meta.error("unknown option: expected `crate = …`"));
        }
        larder = Some(meta.value()?.call(Path::parse_mod_style)?);
        Ok(())
    });
    parser.parse2(options)?;
    Ok(larder.unwrap_or_else(|| parse_quote!(::larder)))
}

/// A method that is a trigger.
struct Trigger {
    name: Ident,
    options: Options,
}

fn triggers(item: &mut ItemImpl, larder: &Path) -> Result<TokenStream> {
    let mut errors: Option<Error> = None;
    let mut fail = |error: Error| match &mut errors {
        Some(errors) => errors.combine(error),
        None => errors = Some(error),
    };
    if let Some((_, path, _)) = &item.trait_ {
        fail(Error::new_spanned(path, "expected an inherent `impl` block"));
    }
    if !item.generics.params.is_empty() {
        fail(Error::new_spanned(
            &item.generics,
            "a component type cannot be generic: a tag names one type",
        ));
    }
    let mut triggers = Vec::new();
    for member in &mut item.items {
        let ImplItem::Fn(method) = member else { continue };
        match trigger(method) {
            Ok(Some(trigger)) => triggers.push(trigger),
            Ok(None) => {}
            Err(error) => fail(error),
        }
    }
    if let Some(error) = errors {
        return Err(error);
    }
    if triggers.is_empty() {
        return Err(Error::new_spanned(
            &item.self_ty,
            "no triggers in this block: add `#[trigger(apply)]` to a method",
        ));
    }
    check_dependencies(&triggers)?;
    let ty = &item.self_ty;
    let triggers = triggers.iter().map(|trigger| trigger.expand(ty, larder));
    let cfgs: Vec<_> = item.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect();
    Ok(quote! {
        #(#cfgs)*
        const _: () = {
            impl #larder::jobs::Triggers for #ty {
                fn triggers() -> ::std::vec::Vec<#larder::jobs::Trigger<Self>> {
                    ::std::vec![#(#triggers),*]
                }
            }

            #larder::link!(#larder::jobs::triggers::<#ty>());
        };
    })
}

/// Parses and removes the attribute of a trigger; returns `None` for other methods.
fn trigger(method: &mut ImplItemFn) -> Result<Option<Trigger>> {
    let mut options: Option<Options> = None;
    let mut error = None;
    method.attrs.retain(|attr| {
        if !attr.path().is_ident("trigger") {
            return true;
        }
        let read = options.get_or_insert_with(|| Options::new(attr.path().span())).read(attr);
        if let Err(wrong) = read {
            error.get_or_insert(wrong);
        }
        false
    });
    if let Some(error) = error {
        return Err(error);
    }
    let Some(options) = options else { return Ok(None) };
    options.check()?;
    check_signature(&method.sig)?;
    Ok(Some(Trigger { name: method.sig.ident.clone(), options }))
}

fn check_signature(signature: &Signature) -> Result<()> {
    const SHAPE: &str = "expected `fn name(&self, job: &JobContext) -> Result<…>`";
    let refused = |span, reason: &str| Err(Error::new(span, format!("{reason}: {SHAPE}")));
    if let Some(keyword) = &signature.asyncness {
        return refused(keyword.span, "a trigger cannot be `async`");
    }
    if let Some(keyword) = &signature.unsafety {
        return refused(keyword.span, "a trigger cannot be `unsafe`");
    }
    if !signature.generics.params.is_empty() {
        return refused(signature.generics.span(), "a trigger cannot be generic");
    }
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver))
            if receiver.reference.is_some()
                && receiver.mutability.is_none()
                && receiver.colon_token.is_none() => {}
        Some(other) => return refused(other.span(), "a trigger takes `&self`"),
        None => return refused(signature.ident.span(), "a trigger takes `&self`"),
    }
    match inputs.next() {
        Some(FnArg::Typed(argument)) if matches!(&*argument.ty, Type::Reference(reference) if reference.mutability.is_none()) =>
            {}
        Some(other) => return refused(other.span(), "a trigger takes a `&JobContext`"),
        None => return refused(signature.ident.span(), "a trigger takes a `&JobContext`"),
    }
    if let Some(more) = inputs.next() {
        return refused(
            more.span(),
            "a trigger takes no other arguments (the event's payload is `job.payload()`)",
        );
    }
    match &signature.output {
        ReturnType::Type(_, ty) if is_result(ty) => Ok(()),
        ReturnType::Type(_, ty) => refused(ty.span(), "a trigger returns a `Result`"),
        ReturnType::Default => refused(signature.ident.span(), "a trigger returns a `Result`"),
    }
}

/// Returns true if the name of a type ends in `Result`.
fn is_result(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => {
            path.path.segments.last().is_some_and(|last| last.ident.to_string().ends_with("Result"))
        }
        _ => false,
    }
}

/// Rejects dependencies that are unknown, that share no event, or that form a cycle.
fn check_dependencies(triggers: &[Trigger]) -> Result<()> {
    let names: Vec<String> = triggers.iter().map(|it| it.name.unraw().to_string()).collect();
    let mut needs: Vec<Vec<usize>> = Vec::new();
    let mut errors: Option<Error> = None;
    let mut fail = |error: Error| match &mut errors {
        Some(errors) => errors.combine(error),
        None => errors = Some(error),
    };
    for (at, trigger) in triggers.iter().enumerate() {
        let mut dependencies = Vec::new();
        for needed in &trigger.options.depends_on {
            let wanted = needed.value();
            let Some(index) = names.iter().position(|name| *name == wanted) else {
                let known: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                fail(Error::new(
                    needed.span(),
                    format!("no trigger `{wanted}` in this block: found {}", known.join(", ")),
                ));
                continue;
            };
            if index == at {
                fail(Error::new(needed.span(), format!("`{wanted}` depends on itself")));
                continue;
            }
            let events = |trigger: &Trigger| {
                trigger.options.events.iter().map(Event::key).collect::<Vec<_>>()
            };
            let dependency_events = events(&triggers[index]);
            if !events(trigger).iter().any(|event| dependency_events.contains(event)) {
                fail(Error::new(
                    needed.span(),
                    format!("`{wanted}` and `{}` have no event in common", names[at]),
                ));
            }
            dependencies.push(index);
        }
        needs.push(dependencies);
    }
    if let Some(error) = errors {
        return Err(error);
    }
    match cycle(&needs) {
        None => Ok(()),
        Some(cycle) => {
            let first = &triggers[cycle[0]];
            let cycle: Vec<_> = cycle.iter().map(|at| format!("`{}`", names[*at])).collect();
            Err(Error::new(first.name.span(), format!("dependency cycle: {}", cycle.join(" -> "))))
        }
    }
}

/// Finds a cycle; its first and last elements are the same.
fn cycle(needs: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut done = vec![false; needs.len()];
    for first in 0..needs.len() {
        let mut path = vec![(first, 0)];
        while let Some((at, next_need)) = path.last_mut() {
            let at = *at;
            let next = (!done[at]).then(|| needs[at].get(*next_need)).flatten();
            let Some(&needed) = next else {
                done[at] = true;
                path.pop();
                continue;
            };
            *next_need += 1;
            if let Some(begin) = path.iter().position(|(on_path, _)| *on_path == needed) {
                let cycle = path[begin..].iter().map(|(on_path, _)| *on_path);
                return Some(cycle.chain([needed]).collect());
            }
            path.push((needed, 0));
        }
    }
    None
}

impl Trigger {
    /// Generates the expression of the trigger.
    fn expand(&self, ty: &Type, larder: &Path) -> TokenStream {
        let Self { name, options } = self;
        let text = name.unraw().to_string();
        let make = if options.outputs { quote!(with_output) } else { quote!(new) };
        let events = options.events.iter().map(|event| event.expand(larder));
        let depends_on = &options.depends_on;
        let requires = options.requires.iter().map(|field| {
            let name = Ident::new(&field.value(), field.span());
            let is_set = quote_spanned! { field.span()=>
                |it: &#ty| #larder::jobs::IsSet::is_set(&it.#name)
            };
            quote!(.requires(#field, #is_set))
        });
        let retries = options.retries.as_ref().map(|retries| quote!(.retries(#retries)));
        let timeout = options
            .timeout
            .map(|millis| quote!(.timeout(::std::time::Duration::from_millis(#millis))));
        // Points an unsuitable error type at the method.
        let run = quote_spanned! { name.span()=>
            |it: &#ty, job: &#larder::jobs::JobContext| it.#name(job)
        };
        quote! {
            #larder::jobs::Trigger::#make(#text, #run)
                #(.on(#events))*
                #(.depends_on(#depends_on))*
                #(#requires)*
                #retries
                #timeout
        }
    }
}
