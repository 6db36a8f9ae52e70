/** Lint rules of our own (`jsPlugins` in .oxlintrc.json). */

interface Node { readonly type: string, readonly parent?: Node }
interface Context { report (problem: { readonly node: Node, readonly message: string }): void }

/**
 * No list is spread into a call's arguments: they stand on the stack, which some 100 000 fill, and how many there are
 * is mostly for a client to say.
 */
const noSpreadArguments = {
  create: (context: Context) => ({
    SpreadElement (node: Node): void {
      const { type } = node.parent ?? {}
      if (type !== 'CallExpression' && type !== 'NewExpression') return
      context.report({
        node,
        message:
          'A list as arguments can be too long for the stack: hand it over as a list, or take its elements one by one.',
      })
    },
  }),
}

export default { meta: { name: 'heliograph' }, rules: { 'no-spread-arguments': noSpreadArguments } }
