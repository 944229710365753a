fn main() -> larder::Result<()> {
    let larder = larder::open("memory:")?;
    let limits = larder.load("wine/limits")?;
    println!("{}", limits.unit);
    let limits = larder::load("larder.db#wine/limits")?;
    larder.apply("wine/limits", &limits)?;
    Ok(())
}
