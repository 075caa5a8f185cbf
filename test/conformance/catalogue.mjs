// SPDX-License-Identifier: Apache-2.0
//
// Prints the suite's own description of its tests as JSON, for `run` to judge the results by.
// The suite keeps them as JavaScript modules, so only JavaScript can read them.
// Usage: node catalogue.mjs PACKAGE-FOLDER
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const load = async file =>
  (await import(pathToFileURL(path.resolve(process.argv[2], 'tests', file)))).default

const suites = [...await load('index.mjs'), await load('surrogate-control.mjs')]

const tests = suites.flatMap(suite =>
  suite.tests
    .filter(test => !test.browser_only)
    .map(test => ({
      id: test.id,
      suite: suite.id,
      kind: test.kind ?? 'required',
      name: test.name,
      needs: test.depends_on ?? []
    })))

console.log(JSON.stringify(tests))
