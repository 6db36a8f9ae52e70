/** The configuration for every command: the file and the environment, with the options of all extensions. */
import { extensions } from '../../extensions/index.ts'
import { loadConfig } from '../config/config.ts'
import type { Config } from '../config/config.ts'

/** Throws a ConfigError. */
export function readConfig (file: string): Config {
  return loadConfig(file, process.env, extensions)
}
