// Opens every screen of the web page in Chromium, uses it, and looks for faults: errors on the console, requests to other hosts,
// what axe-core finds, and content wider than the window. Prints one line of JSON for each fault, and `done` at the end.

import { readFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const { PAGE_URL, PAGE_TOKEN, PAGE_GUEST, PAGE_READER, PAGE_JOB, PAGE_SHOTS, CHROMIUM } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
mkdirSync(PAGE_SHOTS, { recursive: true });

const fault = (what, detail) => console.log(JSON.stringify({ what, detail }));
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });

const SCREENS = {
  names: '/ui',
  filtered: '/ui?where=metrics.accuracy+%3E+0.8&all=1',
  name: '/ui/name/house/price',
  version: '/ui/version/house/price@3',
  onnx: '/ui/version/house/digits',
  hostile: '/ui/version/house/price@5',
  diff: '/ui/diff/house/price?old=1&new=5',
  metrics: '/ui/metrics/house/price',
  lineage: '/ui/lineage/house/street@1',
  jobs: '/ui/jobs',
  job: `/ui/job/${PAGE_JOB}`,
  deployments: '/ui/deployments',
  try: '/ui/try/house/price@3',
  access: '/ui/access',
  who: '/ui/access/house/price',
  tokens: '/ui/tokens',
  audit: '/ui/audit',
  missing: '/ui/name/house/none',
  collections: '/ui/collections',
  rows: '/ui/collection/shop/reviews',
  folded: '/ui/collection/shop/reviews?where=id+%3C+11+and+id+%3E+7&order=-id',
  older: '/ui/collection/shop/reviews?version=1&fields=id,text,stars',
  badfilter: '/ui/collection/shop/reviews?where=star+%3E+4&order=price',
  fields: '/ui/schema/shop/reviews',
  changes: '/ui/changes/shop/reviews',
  models: '/ui/listeners/shop/reviews',
  near: '/ui/near/shop/reviews?text=was+it+late&where=stars+%3E+1',
  notext: '/ui/near/shop/reviews?text=illegible',
};

async function open(options, token) {
  const context = await browser.newContext({ baseURL: PAGE_URL, ...options });
  const page = await context.newPage();
  let isMissing = false;
  page.on('console', (message) => {
    // The browser itself reports the status of a page that is refused.
    const isStatus = /the server responded with a status of 4\d\d/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !isStatus) fault('console', `${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => fault('error', `${page.url()}: ${error}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${PAGE_URL}/`)) fault('request', request.url());
  });
  page.on('dialog', (dialog) => { fault('dialog', `${page.url()}: ${dialog.message()}`); dialog.dismiss(); });
  if (token) {
    await page.goto('/ui/signin');
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL('**/ui');
  }
  return { context, page };
}

async function examine(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  for (const found of violations) {
    const where = found.nodes.slice(0, 3).map((node) => node.html.slice(0, 160));
    const is_grave = ['serious', 'critical'].includes(found.impact);
    if (is_grave) fault('axe', { name, id: found.id, impact: found.impact, help: found.help, where });
    else console.error(`${name}: ${found.impact}: ${found.id}: ${found.help} ${where}`);
  }
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (wide > window) fault('wide', `${name}: ${wide} of ${window}`);
}

const expect = (is_so, what) => { if (!is_so) fault('expected', what); };

for (const colorScheme of ['light', 'dark']) {
  for (const [width, height] of [[1280, 800], [400, 800]]) {
    const { context, page } = await open({ colorScheme, viewport: { width, height } });
    const shot = (name) => page.screenshot({ path: `${PAGE_SHOTS}/${name}-${width}-${colorScheme}.png` });
    await page.goto('/ui');
    await examine(page, 'signin');
    await shot('signin');
    await page.getByLabel('Token').fill(PAGE_TOKEN);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL('**/ui');
    for (const [name, path] of Object.entries(SCREENS)) {
      await page.goto(path);
      // Everything that can be opened is.
      if (['filtered', 'version', 'hostile', 'folded'].includes(name)) {
        await page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
      }
      await examine(page, `${name} ${width} ${colorScheme}`);
      await page.evaluate(() => scrollTo(0, 0));
      await shot(name);
      if (name === 'version') await page.screenshot({ path: `${PAGE_SHOTS}/version-full-${width}-${colorScheme}.png`, fullPage: true });
      if (name === 'name') await page.screenshot({ path: `${PAGE_SHOTS}/name-full-${width}-${colorScheme}.png`, fullPage: true });
    }
    await context.close();
  }
}

{
  const { context, page } = await open({ viewport: { width: 1280, height: 800 } }, PAGE_TOKEN);
  // Search, by keyboard alone.
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement.className) === 'skip', 'the first stop skips the navigation');
  await page.keyboard.press('/');
  await page.keyboard.type('price');
  await page.keyboard.press('Enter');
  await page.waitForURL('**names=price**');
  expect(await page.locator('tbody tr').count() === 1, 'one name is found');
  await page.getByRole('link', { name: 'house/price', exact: true }).click();
  // A tag is set, moved and removed.
  await page.getByLabel('New tag').fill('chosen');
  await page.getByLabel('on version').selectOption('2');
  await page.getByRole('button', { name: 'Set tag' }).click();
  await page.getByRole('heading', { name: 'chosen is version 2' }).waitFor();
  await page.locator('#move-chosen').selectOption('4');
  await page.getByRole('button', { name: 'Move chosen', exact: true }).click();
  await page.getByRole('heading', { name: 'chosen is version 4' }).waitFor();
  await page.getByRole('button', { name: 'Remove chosen' }).click();
  await page.waitForLoadState();
  expect(await page.getByRole('heading', { name: /chosen/ }).count() === 0, 'the tag is removed');
  // Two versions are compared.
  await page.getByLabel('Compare version').selectOption('1');
  await page.getByLabel('with version').selectOption('4');
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.getByRole('rowheader', { name: 'per_area' }).waitFor();
  // A prediction is tried.
  await page.goto('/ui/try/house/price@3');
  await page.getByLabel('area', { exact: true }).fill('100');
  await page.getByLabel('rooms', { exact: true }).fill('4');
  await page.getByLabel('street', { exact: true }).fill('<b>Elm</b>');
  await page.getByLabel('kind', { exact: true }).selectOption('"House"');
  await page.getByRole('button', { name: 'Predict' }).click();
  const output = JSON.parse(await page.locator('#output').textContent());
  expect(output.price === 239.5 && output.street === '<b>Elm</b>', `the price is ${JSON.stringify(output)}`);
  await examine(page, 'answer');
  await page.screenshot({ path: `${PAGE_SHOTS}/answer-1280-light.png` });
  // What was done is in the log, and counted.
  for (const name of ['audit', 'deployments']) {
    await page.goto(`/ui/${name}`);
    const text = await page.locator('main').textContent();
    expect(name === 'audit' ? text.includes('house/price:chosen') : /\d (µs|ms)/.test(text), `${name}: ${text}`);
    await examine(page, name);
    await page.screenshot({ path: `${PAGE_SHOTS}/${name}-after-1280-light.png` });
  }
  // A node of the picture leads on.
  await page.goto('/ui/lineage/house/street@1');
  await page.locator('svg a').filter({ hasText: 'house/price@3' }).first().focus();
  await page.keyboard.press('Enter');
  await page.waitForURL('**/ui/lineage/house/price@3');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/ui/signin');
  await page.goto('/ui/name/house/price');
  await page.getByLabel('Token').waitFor();
  await context.close();
}

{
  // A guest may look, and is told why not.
  const { context, page } = await open({ viewport: { width: 1280, height: 800 } }, PAGE_GUEST);
  await page.goto('/ui/name/house/price');
  expect(await page.getByRole('button', { name: 'Set tag' }).count() === 0, 'no form for what is denied');
  expect(await page.getByRole('link', { name: 'Deployments' }).count() === 0, 'no entry for what is denied');
  await page.goto('/ui/access');
  await page.getByRole('heading', { name: 'Not allowed' }).waitFor();
  await examine(page, 'denied');
  await page.screenshot({ path: `${PAGE_SHOTS}/denied-1280-light.png` });
  await context.close();
}

{
  // Rows of a collection, as somebody who may use its models.
  const { context, page } = await open({ viewport: { width: 1280, height: 800 } }, PAGE_READER);
  await page.getByRole('link', { name: 'Collections' }).click();
  await page.getByRole('link', { name: 'shop/reviews', exact: true }).click();
  // Images are shown, and what is none is not.
  const images = page.locator('img.preview');
  await images.first().scrollIntoViewIfNeeded();
  expect(await images.count() === 4, `${await images.count()} images`);
  for (const image of await images.all()) {
    await image.scrollIntoViewIfNeeded();
    const width = await image.evaluate(async (it) => { await it.decode(); return it.naturalWidth; });
    expect(width > 0, `an image is ${width} wide`);
  }
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download photo of row 1', exact: true }).click(),
  ]);
  expect(/^shop_reviews-1-photo\.bin$/.test(download.suggestedFilename()), download.suggestedFilename());
  // The filter, by keyboard alone; the error of a bad one stands beside it.
  await page.keyboard.press('/');
  await page.keyboard.type('stars > 4 and text like "*late*"');
  await page.keyboard.press('Enter');
  await page.waitForURL('**where=**');
  expect(await page.locator('table.rows tbody tr').count() === 3, `${await page.locator('table.rows tbody tr').count()} rows are found`);
  await page.getByLabel('Where').fill('star > 4');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.locator('#where-error').waitFor();
  expect(/did you mean `stars`/.test(await page.getByLabel('Where').evaluate((it) => document.getElementById(it.getAttribute('aria-describedby')).textContent)), 'the error names the field');
  await page.getByLabel('Where').fill('');
  await page.getByLabel('Order by').fill('-id');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByRole('rowheader', { name: '60' }).waitFor();
  await page.getByRole('link', { name: 'Next page' }).click();
  await page.getByRole('link', { name: 'First page' }).waitFor();
  // By meaning, and like a row that was found.
  await page.getByLabel('Search by meaning').fill('was anything late?');
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByRole('heading', { name: 'Nearest rows' }).waitFor();
  expect(/It came late/.test(await page.locator('table.rows tbody tr').first().textContent()), 'the nearest row is about lateness');
  await page.locator('table.rows tbody th a').first().click();
  await page.getByRole('heading', { name: /like row/ }).waitFor();
  // An older version, by what it changed.
  await page.getByRole('link', { name: 'Changes', exact: true }).click();
  await page.getByRole('link', { name: 'Rows of version 1', exact: true }).click();
  await page.getByRole('link', { name: 'Version 3', exact: true }).waitFor();
  expect(await page.getByRole('link', { name: 'Access', exact: true }).count() === 0, 'no entry for what is denied');
  await context.close();
}

{
  // Without scripts everything can be read.
  const { context, page } = await open({ javaScriptEnabled: false }, PAGE_GUEST);
  await page.goto('/ui/version/house/price@3');
  await page.getByRole('heading', { name: 'Artifacts' }).waitFor();
  await page.locator('summary', { hasText: 'Manifest' }).click();
  await page.getByText('per_area').first().waitFor();
  await context.close();
  const reader = await open({ javaScriptEnabled: false }, PAGE_READER);
  await reader.page.goto('/ui/collection/shop/reviews?where=id+%3D+9');
  await reader.page.locator('details.fold summary').last().click();
  await reader.page.getByText('long long').first().waitFor();
  await reader.context.close();
}

await browser.close();
console.log('done');
