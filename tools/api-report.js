// The public API as a text that a person reviews, one report for each entry point of the package in etc/api.
// `npm run api:update` writes them; `npm run api:check` compares them with the source, and exits with 1 when they differ.
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Name → entry point in the folder of declarations. */
const REPORTS = {
  sync: 'index.d.ts',
  opentelemetry: 'opentelemetry/index.d.ts',
  prometheus: 'prometheus/index.d.ts',
  testing: 'testing/index.d.ts',
};

const committed = join(root, 'etc/api');
const isCheck = process.argv.includes('--check');

// A package of its own, so that nothing here depends on what was built before.
const temporary = mkdtempSync(join(tmpdir(), 'api-'));
try {
  copyFileSync(join(root, 'package.json'), join(temporary, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(temporary, 'node_modules'));
  declare(join(temporary, 'types'));
  for (const [name, entry] of Object.entries(REPORTS)) {
    extract(join(temporary, 'types', entry), name);
    const report = join(committed, `${name}.report.md`);
    if (isCheck) compare(report, join(temporary, `${name}.api.md`));
    else copyFileSync(join(temporary, `${name}.api.md`), report);
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

/** Shows the difference, if there is one. */
function compare(report, actual) {
  if (readFileSync(report, 'utf8') === readFileSync(actual, 'utf8')) return;
  spawnSync('diff', ['-u', report, actual], { stdio: 'inherit' });
  console.error(`${report} is not what the source says: npm run api:update writes it again`);
  process.exitCode = 1;
}

/** Writes what the build would write, declarations alone. */
function declare(folder) {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const args = ['-p', join(root, 'tsconfig.build.json'), '--emitDeclarationOnly'];
  const { status } = spawnSync(process.execPath, [tsc, ...args, '--outDir', folder], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`tsc exited with ${status}`);
}

function extract(entry, reportFileName) {
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: temporary,
      mainEntryPointFilePath: entry,
      compiler: { tsconfigFilePath: join(root, 'tsconfig.build.json') },
      apiReport: {
        enabled: true,
        reportFileName,
        reportFolder: temporary,
        reportTempFolder: join(temporary, 'temp'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        // What a report warns of, a reviewer sees; a name that is used but not exported is such a thing.
        extractorMessageReporting: {
          default: { logLevel: 'none', addToApiReportFile: false },
          'ae-forgotten-export': { logLevel: 'none', addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: 'none', addToApiReportFile: false } },
      },
    },
    configObjectFullPath: join(temporary, 'api-extractor.json'),
    packageJsonFullPath: join(temporary, 'package.json'),
  });
  Extractor.invoke(config, { localBuild: true, messageCallback: quiet });
}

/** Everything but errors is noise here: the report says the rest. */
function quiet(message) {
  if (message.logLevel !== 'error') message.handled = true;
}
